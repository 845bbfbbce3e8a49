// Beyond the limit of failures of its address, a wrong token or a forged call asks the database nothing.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { handleApi } from '#functions/api/handler.ts';
import { FAILURES, REQUESTS } from '#functions/http/request-limits.ts';
import type { Database } from '#functions/store/database.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken, revokeToken } from '#functions/store/tokens.ts';
import { webhookSignature } from '#functions/webhook/webhook.ts';
import { applyTestRunbook } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps, WEBHOOK_KEY } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

const WRONG = `lamp_${'A'.repeat(43)}`;
const BODY = '{"params":{"service":"web"}}';

let database: TestDatabase;
let listener: CommandListener;
let deps: TestDeps;
let api: FunctionServer;
/** Queries of tokens and runbooks: what a wrong token or call may cost. */
let lookedUp: number;

beforeAll(async () => {
  database = await createTestDatabase();
  listener = createCommandListener(database.db);
  await applyTestRunbook(database.db);
});
beforeEach(async () => {
  lookedUp = 0;
  const counting: Database = {
    ...database.db,
    query: (sql, values) => {
      if (/FROM (api_tokens|runbook_versions)/.test(sql)) lookedUp += 1;
      return database.db.query(sql, values);
    },
  };
  deps = createTestDeps(counting);
  api = await serveHandler(handleApi(deps, listener));
  return () => api.close();
});
afterAll(async () => {
  await listener.close();
  await database.drop();
});

async function look(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(new URL('/v1/operations', api.url), { headers })).status;
}

interface Call {
  key?: string;
  name?: string;
  ageS?: number;
}

async function call({ key = 'another key, as long as it', name = 'restart-service', ageS = 0 }: Call = {}) {
  const timestamp = String(Math.floor(deps.now.getTime() / 1000) - ageS);
  const headers = {
    'lamplighter-timestamp': timestamp,
    'lamplighter-signature': `v1=${webhookSignature(key, timestamp, Buffer.from(BODY))}`,
  };
  return (await fetch(new URL(`/v1/webhooks/${name}`, api.url), { method: 'POST', headers, body: BODY }))
    .status;
}

async function useUpFailures(): Promise<void> {
  for (let i = 0; i < FAILURES.burst; i++) expect(await look(WRONG)).toBe(401);
  lookedUp = 0;
}

describe('of an address without failures left', () => {
  test('a wrong token asks the database nothing', async () => {
    await useUpFailures();
    for (let i = 0; i < 20; i++) expect(await look(WRONG)).toBe(429);
    expect(lookedUp).toBe(0);
    deps.advance(2000);
    expect(await look(WRONG)).toBe(401);
    expect(lookedUp).toBe(1);
  });

  test('a forged call of a webhook asks the database nothing', async () => {
    await useUpFailures();
    for (let i = 0; i < 20; i++) expect(await call()).toBe(429);
    expect(lookedUp).toBe(0);
  });

  test('a call that is rightly signed is taken', async () => {
    await useUpFailures();
    expect(await call({ key: WEBHOOK_KEY })).toBe(202);
  });

  test('a token that was valid lately is taken, until it is revoked', async () => {
    const token = await createToken(database.db, { name: 'lately', role: 'viewer' }, deps.now);
    expect(await look(token)).toBe(200);
    await useUpFailures();
    expect(await look(token)).toBe(200);
    await revokeToken(database.db, 'lately', deps.now);
    expect(await look(token)).toBe(401);
    lookedUp = 0;
    expect(await look(token)).toBe(429);
    expect(lookedUp).toBe(0);
  });

  test('its health is answered', async () => {
    await useUpFailures();
    expect((await fetch(new URL('/v1/health', api.url))).status).toBe(200);
  });
});

test('a call without a signature, or of another time, asks the database nothing', async () => {
  expect((await fetch(new URL('/v1/webhooks/x', api.url), { method: 'POST' })).status).toBe(401);
  expect(await call({ key: WEBHOOK_KEY, ageS: 301 })).toBe(401);
  expect(lookedUp).toBe(0);
});

test("a webhook's key has a limit, whichever webhook it is used for, and beyond it asks the database nothing", async () => {
  await useUpFailures();
  for (let i = 0; i < REQUESTS.burst; i++) await call({ key: WEBHOOK_KEY, name: `no-such-hook-${i}` });
  lookedUp = 0;
  expect(await call({ key: WEBHOOK_KEY, name: 'no-such-hook' })).toBe(429);
  expect(await call({ key: WEBHOOK_KEY })).toBe(429);
  expect(lookedUp).toBe(0);
});
