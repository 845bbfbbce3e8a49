// Every denial leaves a trace, and a flood of them leaves one row with a count.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { handleApi } from '#functions/api/handler.ts';
import { recordReport } from '#functions/command/record-report.ts';
import { handleReport } from '#functions/command/report-handler.ts';
import { handleSign } from '#functions/command/sign-handler.ts';
import { createDenialRecorder, MAX_ADDRESSES } from '#functions/denial/recorder.ts';
import { settleDenials } from '#functions/denial/settle.ts';
import { listAudit, verifyAuditChain } from '#functions/store/audit.ts';
import { openDatabase } from '#functions/store/database.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken } from '#functions/store/tokens.ts';
import { webhookSignature } from '#functions/webhook/webhook.ts';
import { Report } from '#shared/command/report.ts';
import { LamplighterError } from '#shared/errors.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, makeKey, type TestDeps, WEBHOOK_KEY } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let keys: HostKeys;
let viewer: string;
let listener: CommandListener;
let api: FunctionServer;
let minutes = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  viewer = await createToken(database.db, { name: 'viewer', role: 'viewer' });
  listener = createCommandListener(database.db);
});
beforeEach(async () => {
  deps = createTestDeps(database.db);
  // Each test has a minute of its own.
  minutes += 2;
  deps.advance(minutes * 60_000);
  api = await serveHandler(handleApi(deps, listener));
  return () => api.close();
});
afterAll(async () => {
  await listener.close();
  await database.drop();
});

async function rows(action: string) {
  const minute = deps.now.getTime();
  const all = await listAudit(database.db, { action, limit: 500 });
  return all
    .filter(({ at }) => Date.parse(at ?? '') >= minute)
    .map(({ actor, target, detail }) => ({ actor, target, detail }));
}

async function nextMinute(): Promise<void> {
  deps.advance(60_000);
  await settleDenials(deps);
  deps.advance(-60_000);
}

function post(path: string, body: unknown, token?: string, headers: Record<string, string> = {}) {
  return fetch(new URL(path, api.url), {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
  });
}

function junk(): Report {
  const head = { v: 1, id: randomUUID(), host: 'web-1', at: deps.now.toISOString() };
  return Report.parse({
    ...head,
    type: 'command.accepted',
    commandId: '0197c2aa-0000-7000-8000-00000000dead',
  });
}

describe('500 of the same are one row with a count', () => {
  test('reports that nobody signed', async () => {
    const stranger = makeKey();
    const messages = await Promise.all(Array.from({ length: 500 }, () => pushedReport(junk(), stranger)));
    const outcomes = await Promise.all(messages.map((message) => recordReport(deps, message)));
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['refused: bad-signature']));
    expect(await rows('report.refused')).toEqual([]);
    await nextMinute();
    expect(await rows('report.refused')).toMatchObject([
      { actor: 'unknown', target: 'bad-signature', detail: { count: 500 } },
    ]);
    await nextMinute();
    expect(await rows('report.refused')).toHaveLength(1);
  });

  test('requests with a bad token, from whatever path', async () => {
    const answers: Response[] = [];
    for (let i = 0; i < 50; i++) answers.push(await post(`/v1/nothing-${i}`, {}, `lamp_${'A'.repeat(43)}`));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      ...Array.from({ length: 30 }, () => 401),
      ...Array.from({ length: 20 }, () => 429),
    ]);
    await nextMinute();
    expect(await rows('auth_denied')).toMatchObject([{ actor: 'address:127.0.0.1', detail: { count: 30 } }]);
    expect(await rows('rate_limited')).toMatchObject([{ actor: 'address:127.0.0.1', detail: { count: 20 } }]);
  });

  test('what a known token may not ask for: the first at once, the others with the count', async () => {
    const order = { operation: 'service.stop', params: { service: 'web' } };
    for (let i = 0; i < 20; i++) expect((await post('/v1/commands', order, viewer)).status).toBe(403);
    const first = { actor: 'token:viewer', target: 'service.stop' };
    expect(await rows('rbac_denied')).toMatchObject([{ ...first, detail: { count: 1, role: 'viewer' } }]);
    await nextMinute();
    expect(await rows('rbac_denied')).toMatchObject([
      { ...first, detail: { count: 19 } },
      { ...first, detail: { count: 1 } },
    ]);
  });

  test("a host's own refusals", async () => {
    const refused = () =>
      Report.parse({
        ...junk(),
        commandId: undefined,
        type: 'envelope.refused',
        reason: 'bad-signature',
        detail: 'x',
        messageId: '1',
      });
    for (let i = 0; i < 60; i++) await recordReport(deps, await pushedReport(refused(), keys.agent));
    await nextMinute();
    const told = await rows('envelope.refused');
    expect(told).toHaveLength(21);
    expect(told[0]).toMatchObject({ actor: 'host:web-1', detail: { count: 40 } });
  });
});

describe('each kind of denial is there', () => {
  const sign = () => handleSign(deps);
  const signedCall = (body: string, key = WEBHOOK_KEY) => {
    const timestamp = String(Math.floor(deps.now.getTime() / 1000));
    return {
      'lamplighter-timestamp': timestamp,
      'lamplighter-signature': `v1=${webhookSignature(key, timestamp, Buffer.from(body))}`,
    };
  };
  const refuse = (code: 'unauthenticated' | 'not-allowed') => () =>
    Promise.reject(new LamplighterError(code, 'identify caller: no'));
  const table: [string, () => Promise<unknown>, string, object][] = [
    [
      'an internal operation',
      () => post('/v1/commands', { operation: 'alert.append', params: {} }, viewer),
      'rbac_denied',
      { actor: 'token:viewer', target: 'alert.append' },
    ],
    ['no token', () => post('/v1/commands', {}), 'auth_denied', { actor: 'address:127.0.0.1' }],
    [
      'a forged signature of a webhook',
      () =>
        post('/v1/webhooks/restart-service', {}, undefined, signedCall('{}', 'another key, as long as it')),
      'auth_denied',
      { actor: 'address:127.0.0.1', detail: { reason: 'check webhook: there is no valid signature' } },
    ],
    [
      'a webhook that chooses what it may not',
      () => {
        const body = { params: { service: 'none', x: 1 } };
        return post('/v1/webhooks/restart-service', body, undefined, signedCall(JSON.stringify(body)));
      },
      'rbac_denied',
      { actor: 'webhook:restart-service', target: 'webhook restart-service' },
    ],
    [
      'a caller of sign without an identity',
      async () => {
        deps.verifyCaller = refuse('unauthenticated');
        const server = await serveHandler(sign());
        await fetch(server.url, { method: 'POST' });
        await server.close();
      },
      'auth_denied',
      { actor: 'address:127.0.0.1', detail: { reason: 'identify caller: no' } },
    ],
    [
      'a service account that may not call report',
      async () => {
        deps.verifyCaller = refuse('not-allowed');
        const server = await serveHandler(handleReport(deps));
        await fetch(server.url, { method: 'POST' });
        await server.close();
      },
      'rbac_denied',
      { actor: 'address:127.0.0.1' },
    ],
  ];
  test.each(table)('%s', async (_name, deny, action, row) => {
    await deny();
    await nextMinute();
    expect(await rows(action)).toMatchObject([row]);
  });
});

test('a sender with ever new addresses makes no more rows than are kept apart', async () => {
  const noting = Array.from({ length: MAX_ADDRESSES + 300 }, (_, i) =>
    deps.denials.note({
      source: `address:10.0.0.${i}`,
      isProven: false,
      action: 'auth_denied',
      subject: 's',
      detail: {},
    }),
  );
  await Promise.all(noting);
  await nextMinute();
  await nextMinute();
  const told = await rows('auth_denied');
  expect(told).toHaveLength(MAX_ADDRESSES + 1);
  expect(told.find(({ actor }) => actor === 'address:others')).toMatchObject({ detail: { count: 300 } });
});

test('nor does one whose addresses come to several processes; who is proven is told beside them', async () => {
  const processes = Array.from({ length: 3 }, () => {
    const one = createTestDeps(database.db);
    one.now = deps.now;
    return one;
  });
  const denial = { action: 'auth_denied', subject: 's', detail: {} };
  for (const [p, one] of processes.entries()) {
    const noting = Array.from({ length: MAX_ADDRESSES }, (_, i) =>
      one.denials.note({ ...denial, source: `address:10.1.${p}.${i}`, isProven: false }),
    );
    await Promise.all(noting);
    await one.denials.note({ ...denial, source: `token:proven-${p}`, isProven: true });
    await one.denials.note({ ...denial, source: `token:proven-${p}`, isProven: true });
  }
  // More of one address than of the others.
  await deps.denials.note({ ...denial, source: 'address:10.1.2.9', isProven: false });
  await nextMinute();
  const told = await rows('auth_denied');
  const byAddress = told.filter(({ actor }) => actor.startsWith('address:'));
  expect(byAddress).toHaveLength(MAX_ADDRESSES + 1);
  expect(byAddress.find(({ actor }) => actor === 'address:others')).toMatchObject({
    detail: { count: 2 * MAX_ADDRESSES },
  });
  expect(byAddress.find(({ actor }) => actor === 'address:10.1.2.9')).toMatchObject({ detail: { count: 2 } });
  expect(told.filter(({ actor }) => actor.startsWith('token:'))).toHaveLength(6);
});

test('several processes count into one row, and two ticks at once tell it once', async () => {
  const second = createTestDeps(database.db);
  second.now = deps.now;
  const denial = {
    source: 'address:192.0.2.1',
    isProven: false,
    action: 'auth_denied',
    subject: 's',
    detail: {},
  };
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? deps : second).denials.note(denial)),
  );
  deps.advance(60_000);
  await Promise.all([settleDenials(deps), settleDenials(deps)]);
  deps.advance(-60_000);
  expect(await rows('auth_denied')).toMatchObject([{ detail: { count: 100 } }]);
  expect(await verifyAuditChain(database.db)).toMatchObject({ intact: true });
});

test('a database that is away loses the trace, which is logged, and not the answer', async () => {
  const away = openDatabase('postgresql://127.0.0.1:1/nothing');
  const logged: string[] = [];
  const log = {
    info: () => undefined,
    warning: () => undefined,
    error: (text: string) => void logged.push(text),
  };
  const recorder = createDenialRecorder({ db: away, clock: () => deps.now, log }, 'api');
  await recorder.note({ source: 'address:1', isProven: false, action: 'a', subject: 's', detail: {} });
  expect(logged).toEqual(['denials could not be written down']);
  await away.close();
});
