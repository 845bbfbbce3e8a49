import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { handleApi } from '#functions/api/handler.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import type { Database } from '#functions/store/database.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { webhookSignature } from '#functions/webhook/webhook.ts';
import { LamplighterError } from '#shared/errors.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps, WEBHOOK_KEY } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let listener: CommandListener;
let server: FunctionServer;
/** True: nothing can be written. */
let isStoreAway: boolean;

beforeAll(async () => {
  database = await createTestDatabase();
  listener = createCommandListener(database.db);
  isStoreAway = false;
  const db: Database = {
    ...database.db,
    transaction: (work) =>
      isStoreAway
        ? Promise.reject(new LamplighterError('unavailable', 'reach database', { retryable: true }))
        : database.db.transaction(work),
  };
  deps = createTestDeps(db);
  server = await serveHandler(handleApi(deps, listener));
  await applyTestRunbook(database.db);
});
afterAll(async () => {
  await server.close();
  await listener.close();
  await database.drop();
});
// Each test at a time of its own, so that no two calls have the same signature.
beforeEach(() => deps.advance(1000));

interface Call {
  name?: string;
  body?: string;
  key?: string;
  /** Seconds between the time stamp and now. */
  offsetS?: number;
  headers?: Record<string, string>;
  type?: string;
}

const WEB = '{"params":{"service":"web"}}';

async function call({
  name = 'restart-service',
  body = WEB,
  key = WEBHOOK_KEY,
  offsetS = 0,
  ...rest
}: Call = {}) {
  const timestamp = String(Math.floor(deps.now.getTime() / 1000) + offsetS);
  const response = await fetch(`${server.url}/v1/webhooks/${name}`, {
    method: 'POST',
    headers: {
      'content-type': rest.type ?? 'application/x-www-form-urlencoded',
      'lamplighter-timestamp': timestamp,
      'lamplighter-signature': `v1=${webhookSignature(key, timestamp, Buffer.from(body))}`,
      ...rest.headers,
    },
    body,
  });
  return { status: response.status, answer: (await response.json()) as { id: string; code?: string } };
}

test('the signature is HMAC-SHA256 in hex over the time stamp, a dot and the body', () => {
  // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
  expect(webhookSignature('key', '1700000000', Buffer.from('{}'))).toBe(
    '9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae',
  );
});

test.each(['application/json', 'application/x-www-form-urlencoded', 'text/plain'])(
  'a call as %s runs the bound operation as the webhook',
  async (type) => {
    const { status, answer } = await call({ type });
    expect(status).toBe(202);
    expect(await findCommand(database.db, answer.id)).toMatchObject({
      operation: 'service.restart',
      params: { service: 'web' },
      actor: { kind: 'webhook', name: 'restart-service', role: 'responder' },
      state: 'sent',
    });
  },
);

describe('refuses', () => {
  const table: [string, Call, number][] = [
    ['another key', { key: 'another key, long enough' }, 401],
    ['no signature', { headers: { 'lamplighter-signature': '' } }, 401],
    ['a signature of another form', { headers: { 'lamplighter-signature': `v1=${'A'.repeat(64)}` } }, 401],
    ['a time stamp that was not signed', { headers: { 'lamplighter-timestamp': '1' } }, 401],
    ['a time stamp that is none', { headers: { 'lamplighter-timestamp': 'now' } }, 401],
    ['a time stamp too old', { offsetS: -301 }, 401],
    ['a time stamp too far ahead', { offsetS: 302 }, 401],
    ['a name that is none', { name: 'nothing' }, 401],
    ['a name of every object', { name: 'constructor' }, 401],
    ['a value outside the list', { body: '{"params":{"service":"nginx"}}' }, 403],
    ['a parameter that can’t be chosen', { body: '{"params":{"service":"web","dryRun":true}}' }, 403],
    ['a parameter named like a property', { body: '{"params":{"constructor":"web"}}' }, 403],
    ['a missing parameter', { body: '{}' }, 400],
    ['a field too many', { body: '{"operation":"service.stop"}' }, 400],
    ['a body that is no JSON', { body: 'service=web' }, 400],
  ];
  test.each(table)('%s', async (_name, bad, status) => {
    const before = deps.published.length;
    expect((await call(bad)).status).toBe(status);
    expect(deps.published).toHaveLength(before);
  });

  test('the same call twice, and writes the second down', async () => {
    expect((await call()).status).toBe(202);
    expect(await call()).toMatchObject({ status: 409, answer: { code: 'conflict' } });
    const [entry] = await listAudit(database.db, { action: 'webhook.replayed', limit: 1 });
    expect(entry?.actor).toBe('webhook:restart-service');
  });

  test('a role that the operation is too risky for', async () => {
    await applyTestRunbook(database.db, DEMO_RUNBOOK.replace('role: responder', 'role: viewer'));
    expect((await call()).status).toBe(403);
    const [denial] = await listAudit(database.db, { action: 'rbac_denied', limit: 1 });
    expect(denial).toMatchObject({ actor: 'webhook:restart-service', target: 'service.restart' });
    await applyTestRunbook(database.db, `${DEMO_RUNBOOK}\n# as before\n`);
  });
});

test('a call that led to no command is not used up: the very same call is taken later, and only once', async () => {
  isStoreAway = true;
  expect((await call()).status).toBe(503);
  isStoreAway = false;
  expect((await call()).status).toBe(202);
  expect((await call()).status).toBe(409);
});

test('a time stamp at the edge is taken', async () => {
  expect((await call({ offsetS: -300 })).status).toBe(202);
});
