// The scope of a token: checked at the request of a command, and again before the command is signed.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { handleApi } from '#functions/api/handler.ts';
import { requestCommand } from '#functions/command/request.ts';
import { sendCommand } from '#functions/command/send.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken } from '#functions/store/tokens.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let listener: CommandListener;
let api: FunctionServer;
const tokens = new Map<string, string>();

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  listener = createCommandListener(database.db);
  const at = new Date('2026-11-20T00:00:00Z');
  const made = [
    { name: 'services', role: 'operator', operations: ['service.*'] },
    { name: 'elsewhere', role: 'operator', hosts: ['web-2'] },
    { name: 'limited-admin', role: 'admin', hosts: ['web-1'] },
    { name: 'admin', role: 'admin' },
    { name: 'journals', role: 'operator', operations: ['service.*'] },
    { name: 'ending', role: 'operator', lifetimeDays: 4 },
  ] as const;
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

function call(name: string, method: string, path: string, body?: string) {
  const headers = { authorization: `Bearer ${tokens.get(name)}` };
  return fetch(new URL(path, api.url), { method, headers, ...(body === undefined ? {} : { body }) });
}

function ask(name: string, operation: string, params: object = {}) {
  return call(name, 'POST', '/v1/commands', JSON.stringify({ operation, params, dryRun: true }));
}

test.each([
  ['services', 'service.restart', { service: 'web' }, 202],
  ['services', 'backup.run', {}, 403],
  ['elsewhere', 'service.restart', { service: 'web' }, 403],
  ['limited-admin', 'service.restart', { service: 'web' }, 202],
  ['ending', 'service.restart', { service: 'web' }, 202],
])('%s asks for %s', async (name, operation, params, status) => {
  expect((await ask(name, operation, params)).status).toBe(status);
  if (status === 202) return;
  const [denial] = await listAudit(database.db, { action: 'rbac_denied', limit: 1 });
  expect(denial).toMatchObject({ actor: `token:${name}`, target: operation });
});

test.each([
  ['PUT', '/v1/runbook', DEMO_RUNBOOK],
  ['PUT', '/v1/hosts/web-1', '{}'],
  ['GET', '/v1/tokens', undefined],
  ['POST', '/v1/tokens/admin/revoke', undefined],
])('a limited token administers nothing, whatever its role: %s %s', async (method, path, body) => {
  expect((await call('limited-admin', method, path, body)).status).toBe(403);
});

test.each([
  ['POST', '/v1/checks/run'],
  ['POST', '/v1/incidents/INC-1/ack'],
  ['POST', '/v1/backups/20261123T020000Z-1f3a9c/verify'],
  ['GET', '/v1/audit'],
])('nor does it act beside its commands: %s %s', async (method, path) => {
  expect((await call('limited-admin', method, path)).status).toBe(403);
  const [denial] = await listAudit(database.db, { action: 'rbac_denied', limit: 1 });
  expect(denial).toMatchObject({ actor: 'token:limited-admin', detail: { isScoped: true } });
});

test.each([
  ['journals', true],
  ['elsewhere', false],
])('%s sees the journal that another asked for: %s', async (name, isSeen) => {
  const { id } = z
    .object({ id: z.string() })
    .parse(await (await ask('admin', 'service.logs', { service: 'web', lines: 5 })).json());
  const result = { lines: ['secret of web-1'] };
  await database.db.query('UPDATE commands SET result = $2 WHERE id = $1', [id, JSON.stringify(result)]);
  for (const path of [`/v1/commands/${id}`, '/v1/commands', '/v1/status']) {
    const text = await (await call(name, 'GET', path)).text();
    expect(text).toContain(id);
    expect(text.includes('secret of web-1')).toBe(isSeen);
  }
});

test('who asks for checks to be run is in the trail', async () => {
  expect((await call('admin', 'POST', '/v1/checks/run')).status).toBe(200);
  const [entry] = await listAudit(database.db, { action: 'checks.run', limit: 1 });
  expect(entry).toMatchObject({ actor: 'token:admin' });
});

test('a token that ended is no token', async () => {
  deps.advance(86_400_000);
  expect((await ask('ending', 'service.restart', { service: 'web' })).status).toBe(401);
});

describe('sign checks again', () => {
  const actor = { kind: 'token', name: 'services', role: 'operator' } as const;
  const order = { operation: 'service.restart', params: { service: 'web' }, actor, dryRun: false };
  test.each([
    ['the scope', "operations = ARRAY['backup.*']", /limited to backup/],
    ['the hosts', "hosts = ARRAY['web-2']", /limited to hosts web-2/],
    ['the end', "expires_at = '2026-11-23T10:00:00Z'", /has expired/],
    ['whether it was revoked', "revoked_at = '2026-11-23T09:00:00Z'", /was revoked/],
  ])('%s', async (_name, change, reason) => {
    const later = { ...deps, signCommand: () => Promise.reject(new Error('not now')) };
    const { id } = await requestCommand(later, order);
    await database.db.query(`UPDATE api_tokens SET ${change} WHERE name = 'services'`);
    expect(await sendCommand(deps, id)).toBe('rejected');
    const record = await findCommand(database.db, id);
    expect(record?.message).toMatch(reason);
    expect(deps.published).toEqual([]);
    await database.db.query(
      `UPDATE api_tokens SET operations = ARRAY['service.*'], hosts = NULL,
         expires_at = '2027-01-01T00:00:00Z' WHERE name = 'services'`,
    );
  });
});

test('an admin sees all tokens without their text, and ends one', async () => {
  const list = async () => {
    const views: unknown = await (await call('admin', 'GET', '/v1/tokens')).json();
    return Array.isArray(views) ? views : [];
  };
  expect(await list()).toContainEqual(
    expect.objectContaining({ name: 'elsewhere', hosts: ['web-2'], operations: null, revokedAt: null }),
  );
  for (const token of tokens.values()) expect(JSON.stringify(await list())).not.toContain(token);
  expect((await call('admin', 'POST', '/v1/tokens/elsewhere/revoke')).status).toBe(204);
  expect((await ask('elsewhere', 'service.status', { service: 'web' })).status).toBe(401);
  expect((await call('admin', 'POST', '/v1/tokens/elsewhere/revoke')).status).toBe(404);
  const [entry] = await listAudit(database.db, { action: 'token.revoked', limit: 1 });
  expect(entry).toMatchObject({ actor: 'token:admin', target: 'elsewhere' });
});

test('a webhook gets no destructive operation, whatever its role', async () => {
  const order = {
    operation: 'restore.run',
    params: { backup: '20261123T020000Z-1f3a9c', confirm: 'analytics' },
    actor: { kind: 'webhook', name: 'hook', role: 'admin' } as const,
    dryRun: false,
  };
  await expect(requestCommand(deps, order)).rejects.toMatchObject({
    code: 'not-allowed',
    message: 'ask for restore.run: webhooks are not allowed',
  });
});
