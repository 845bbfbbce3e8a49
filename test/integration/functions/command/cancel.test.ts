// Cancelling a command: withdrawn while nobody has signed it, stopped on its host afterwards, and only by whom it is allowed to.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { handleApi } from '#functions/api/handler.ts';
import { recordReport } from '#functions/command/record-report.ts';
import { requestCommand } from '#functions/command/request.ts';
import { sendCommand } from '#functions/command/send.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken, revokeToken } from '#functions/store/tokens.ts';
import { CancelRequested } from '#shared/api/views.ts';
import { Report } from '#shared/command/report.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let keys: HostKeys;
let deps: TestDeps;
let listener: CommandListener;
let api: FunctionServer;
const tokens = new Map<string, string>();

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  listener = createCommandListener(database.db);
  const made = [
    { name: 'operator', role: 'operator' },
    { name: 'responder', role: 'responder' },
    { name: 'viewer', role: 'viewer' },
    { name: 'backups', role: 'operator', operations: ['backup.*'] },
    { name: 'services', role: 'operator', operations: ['service.*'] },
  ] as const;
  const at = new Date('2026-11-20T00:00:00Z');
  for (const one of made) tokens.set(one.name, await createToken(database.db, one, at));
});
beforeEach(async () => {
  deps = createTestDeps(database.db);
  api = await serveHandler(handleApi(deps, listener));
  return () => api.close();
});
afterAll(async () => {
  await listener.close();
  await database.drop();
});

/** Asks for a command; it stays as it is until somebody signs it. */
async function ask(operation: string, params: object = { service: 'web' }): Promise<string> {
  deps.advance(5000);
  const actor = { kind: 'token', name: 'operator', role: 'operator' } as const;
  const unsigned = { ...deps, signCommand: () => Promise.reject(new Error('sign is away')) };
  return (await requestCommand(unsigned, { operation, params: { ...params }, actor, dryRun: false })).id;
}

async function sent(operation: string): Promise<string> {
  const id = await ask(operation);
  await sendCommand(deps, id);
  return id;
}

async function cancel(name: string, id: string) {
  const headers = { authorization: `Bearer ${tokens.get(name)}` };
  const answer = await fetch(new URL(`/v1/commands/${id}/cancel`, api.url), { method: 'POST', headers });
  return { status: answer.status, body: (await answer.json()) as unknown };
}

test('a command that nobody has signed is withdrawn at once, and never signed', async () => {
  const id = await ask('service.restart');
  expect(await cancel('operator', id)).toEqual({ status: 202, body: { command: id, cancel: null } });
  expect(await findCommand(database.db, id)).toMatchObject({
    state: 'cancelled',
    message: 'cancelled by token operator before it was sent',
  });
  expect(await sendCommand(deps, id)).toBe('cancelled');
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'cancelled', isSigned: false });
  const [entry] = await listAudit(database.db, { action: 'command.withdrawn', target: id, limit: 1 });
  expect(entry).toMatchObject({ actor: 'token:operator' });
});

test("a command that was signed is stopped by a signed command to its host; the runner's report ends both", async () => {
  const id = await sent('service.restart');
  const { status, body } = await cancel('operator', id);
  expect(status).toBe(202);
  const { cancel: cancelId } = CancelRequested.parse(body);
  expect(await findCommand(database.db, cancelId ?? '')).toMatchObject({
    operation: 'command.cancel',
    host: 'web-1',
    params: { command: id, host: 'web-1' },
  });
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
  const head = { v: 1, id: randomUUID(), host: 'web-1', at: deps.now.toISOString() };
  const end = { type: 'command.finished', commandId: id, state: 'cancelled', code: 'cancelled', steps: [] };
  const report = Report.parse({ ...head, ...end });
  expect((await recordReport(deps, await pushedReport(report, keys.agent))).outcome).toBe(
    'refused: wrong-key',
  );
  expect((await recordReport(deps, await pushedReport(report, keys.runner))).outcome).toBe('recorded');
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'cancelled', endedBy: 'runner' });
});

describe('whoever could have asked for a command can cancel it, and nobody else', () => {
  test.each([
    ['viewer', 'service.restart', 403],
    ['responder', 'service.restart', 202],
    ['responder', 'service.stop', 403],
    ['operator', 'service.stop', 202],
    ['backups', 'service.restart', 403],
    ['services', 'service.restart', 202],
  ])('%s, of a %s', async (name, operation, status) => {
    for (const make of [ask, sent]) {
      const id = await make(operation);
      expect((await cancel(name, id)).status).toBe(status);
      if (status === 202) continue;
      const [denial] = await listAudit(database.db, { action: 'rbac_denied', limit: 1 });
      expect(denial).toMatchObject({ actor: `token:${name}`, target: 'command.cancel' });
    }
  });

  test.each([
    ['with a command of another host', { host: 'web-2' }],
    ['with a command that there is not', { command: '0197c2aa-0000-7000-8000-000000000001' }],
  ])('not by its name either: %s', async (_name, change) => {
    const id = await sent('service.restart');
    const params = { command: id, host: 'web-1', ...change };
    const headers = { authorization: `Bearer ${tokens.get('operator')}` };
    const body = JSON.stringify({ operation: 'command.cancel', params });
    const answer = await fetch(new URL('/v1/commands', api.url), { method: 'POST', headers, body });
    expect(answer.status).toBe(403);
  });

  test('and `sign` looks again: a token that was revoked cancels nothing', async () => {
    const id = await sent('service.restart');
    const { body } = await cancel('services', id);
    const { cancel: cancelId } = CancelRequested.parse(body);
    await database.db.query(`UPDATE commands SET state = 'requested', sent_at = NULL WHERE id = $1`, [
      cancelId,
    ]);
    await revokeToken(database.db, 'services', deps.clock());
    expect(await sendCommand(deps, cancelId ?? '')).toBe('rejected');
  });
});

test.each([
  [
    'one that has ended',
    async () => {
      const id = await ask('service.restart');
      await cancel('operator', id);
      return id;
    },
    409,
  ],
  [
    'a cancel',
    async () => {
      const { body } = await cancel('operator', await sent('service.restart'));
      return z.object({ cancel: z.string() }).parse(body).cancel;
    },
    400,
  ],
  ['one that there is not', () => Promise.resolve('0197c2aa-0000-7000-8000-000000000001'), 404],
])('refuses to cancel %s', async (_name, make, status) => {
  expect((await cancel('operator', await make())).status).toBe(status);
});
