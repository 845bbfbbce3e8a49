// lamp against the real API under the real functions framework.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken } from '#functions/store/tokens.ts';
import { type FunctionProcess, startFunction } from '#local/functions/process.ts';
import { findFreePort } from '#local/ports.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';
import { lamp } from './scripted-api.ts';

const RUNBOOK = `version: 1
name: demo
hosts:
  vm-1:
    address: 10.0.0.1
services:
  web:
    host: vm-1
    unit: app-web.service
`;

let database: TestDatabase;
let api: FunctionProcess;
let folder: string;

const tokens = { admin: '', viewer: '', wrong: 'wrong-token' };

beforeAll(async () => {
  database = await createTestDatabase();
  tokens.admin = await createToken(database.db, { name: 'ada', role: 'admin' });
  tokens.viewer = await createToken(database.db, { name: 'vic', role: 'viewer' });
  folder = mkdtempSync(join(tmpdir(), 'lamplighter-real-api-'));
  api = await startFunction({
    target: 'api',
    source: join(import.meta.dirname, '../../../functions/index.ts'),
    address: '127.0.0.1',
    port: await findFreePort('127.0.0.1'),
    env: {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: database.url,
      GOOGLE_CLOUD_PROJECT: 'test',
      METADATA_SERVER_DETECTION: 'none',
      // Nobody signs here: commands stay as they were asked for.
      SIGN_URL: 'http://127.0.0.1:9',
      WEBHOOK_SECRETS: '{}',
      LIVE_URL: 'ws://127.0.0.1:9',
      API_URL: 'http://127.0.0.1',
      BACKUP_BUCKET: 'backups',
    },
    logFile: join(folder, 'api.log'),
  });
});
afterAll(async () => {
  await api?.close();
  await database?.drop();
  rmSync(folder, { recursive: true });
});

function run(args: string[], who: keyof typeof tokens = 'admin') {
  return lamp(args, { url: api.url, token: tokens[who] });
}

test('a runbook is checked, applied and shown', async () => {
  const file = join(folder, 'runbook.yaml');
  writeFileSync(file, RUNBOOK);
  expect(await run(['runbook', 'apply', file, '--dry-run'])).toMatchObject({
    code: 0,
    out: 'valid: nothing was changed\n',
  });
  expect(await run(['runbook', 'apply', file], 'viewer')).toMatchObject({ code: 3 });
  expect(await run(['runbook', 'apply', file])).toMatchObject({ code: 0, out: 'applied as version 1\n' });
  expect((await run(['runbook', 'show'])).out).toBe(readFileSync(file, 'utf8'));
});

test('lists are what lamp expects them to be', async () => {
  for (const verb of ['operations', 'commands', 'audit']) {
    expect(await run([verb, '--json'])).toMatchObject({ code: 0, err: '' });
  }
});

test('an unknown token, a role too small and a misspelt service each say what to do', async () => {
  const wrong = await run(['status'], 'wrong');
  expect(wrong.code).toBe(3);
  const denied = await run(['stop', 'web'], 'viewer');
  expect(denied).toMatchObject({ code: 3, err: expect.stringContaining('It takes the role operator.') });
  const misspelt = await run(['restart', 'wbe']);
  expect(misspelt).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean "web"?') });
  expect((await run(['logs', 'wbe', '-f'])).err).toContain('Did you mean "web"?');
  expect((await run(['audit', '--action', 'rbac_denied'])).out).toContain('service.stop');
});

test('a command is asked for once and can be looked at', async () => {
  const asked = await run(['restart', 'web', '--detach', '--json']);
  expect(asked.code).toBe(0);
  const { id, state } = JSON.parse(asked.out).command;
  expect(state).toBe('requested');
  expect((await run(['commands', id])).out).toContain('service.restart service=web on vm-1');
  expect((await run(['commands'])).out).toContain('service.restart web');
});

test('status, checks, alerts, incidents and backups of a platform that is just set up', async () => {
  expect((await run(['status'])).out).toContain('demo  runbook version 1');
  for (const verb of ['status', 'check', 'alerts', 'incidents', 'backups']) {
    expect(await run([verb, '--json'])).toMatchObject({ code: 0, err: '' });
  }
});
