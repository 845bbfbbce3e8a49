// lamp against the real API under the real functions framework.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createToken } from '#functions/store/tokens.ts';
import { type FunctionProcess, startFunction } from '#local/cloud/functions/process.ts';
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

const tokens = { admin: '', viewer: '', wrong: 'wrong-token', lost: '' };

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
      // No signer runs here: commands stay as they were requested.
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
  expect(denied).toMatchObject({ code: 3, err: expect.stringContaining('Requires the role operator.') });
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

describe('tokens', () => {
  test('are listed with their limits and last use, for an administrator alone', async () => {
    const hosts = ['vm-1'];
    await createToken(database.db, { name: 'robot', role: 'operator', hosts, operations: ['backup.*'] });
    const { code, out } = await run(['tokens']);
    expect(code).toBe(0);
    expect(out).toMatch(/^ada +admin +ends in \d+ d.* +(just now|\d+ s ago) +-$/m);
    expect(out).toMatch(/^robot +operator +ends in \d+ d.* +never +backup\.\* on vm-1$/m);
    const listed = JSON.parse((await run(['tokens', '--json'])).out) as { name: string }[];
    expect(listed.map(({ name }) => name)).toEqual(expect.arrayContaining(['ada', 'vic', 'robot']));
    const denied = await run(['tokens'], 'viewer');
    expect(denied).toMatchObject({ code: 3, err: expect.stringContaining('Requires the role admin.') });
  });

  test('one that is revoked is refused from then on, listed as such, and in the trail', async () => {
    tokens.lost = await createToken(database.db, { name: 'lost', role: 'viewer' });
    expect(await run(['status'], 'lost')).toMatchObject({ code: 0 });
    expect(await run(['tokens', 'revoke', 'lost'], 'viewer')).toMatchObject({ code: 3 });
    expect(await run(['tokens', 'revoke', 'lost'])).toMatchObject({
      code: 0,
      out: 'token lost is revoked\n',
    });
    expect(await run(['status'], 'lost')).toMatchObject({ code: 3 });
    expect((await run(['tokens'])).out).not.toMatch(/^lost /m);
    expect((await run(['tokens', '--all'])).out).toMatch(/^lost +viewer +revoked /m);
    expect((await run(['audit', '--action', 'token.revoked'])).out).toMatch(
      /token:ada +token\.revoked +lost/,
    );
    const again = await run(['tokens', 'revoke', 'lost', '--json']);
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining('lamp tokens --all') });
  });

  test('help says that they are made elsewhere', async () => {
    const { code, out } = await run(['tokens', '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/npm run admin -- create-token[^]*revoke \[options\] <name>|revoke <name>/);
  });
});

async function ask(...args: string[]): Promise<string> {
  return JSON.parse((await run([...args, '--detach', '--json'])).out).command.id;
}

describe('a command is found by a part of its id', () => {
  test('the end that lamp shows, or a beginning, when only one command has it', async () => {
    const id = await ask('restart', 'web');
    for (const part of [
      id.slice(-8),
      id.slice(-8, -2),
      id.slice(-6),
      id.slice(0, 20),
      id.slice(-8).toUpperCase(),
    ])
      expect(JSON.parse((await run(['commands', part, '--json'])).out).command.id).toBe(id);
    expect((await run(['commands'])).out).toContain(id.slice(-8));
  });

  test('a part of several ids names those that it may mean', async () => {
    const ids = [await ask('restart', 'web'), await ask('stop', 'web')];
    const { code, err } = await run(['commands', ids[0]?.slice(0, 4) ?? '']);
    expect(code).toBe(2);
    for (const id of ids) expect(err).toContain(id);
  });

  test.each([
    ['ffff0000ffff0000', 'there is no such command'],
    ['abc', "not a part of a command's id"],
    ['%', "not a part of a command's id"],
    ['____', "not a part of a command's id"],
  ])('%s: %s', async (part, said) => {
    const { code, err } = await run(['commands', part]);
    expect(code).toBe(2);
    expect(err).toContain(said);
  });
});

describe('a service may be called by its unit', () => {
  test.each(['app-web', 'app-web.service'])('%s is the service web', async (word) => {
    const { out } = await run(['restart', word, '--detach', '--json']);
    expect(JSON.parse(out).command).toMatchObject({ params: { service: 'web' }, host: 'vm-1' });
  });

  test('when several services have the unit, they are named', async () => {
    const file = join(folder, 'two.yaml');
    const second = RUNBOOK.replace('hosts:\n', 'hosts:\n  vm-2:\n    address: 10.0.0.2\n');
    const more = '  web-2:\n    host: vm-2\n    unit: app-web.service\n';
    writeFileSync(file, second + more);
    expect(await run(['runbook', 'apply', file])).toMatchObject({ code: 0 });
    const { code, err } = await run(['restart', 'app-web']);
    expect(code).toBe(2);
    expect(err).toContain('Say which: web, web-2.');
    expect((await run(['restart', 'web-2', '--detach'])).code).toBe(0);
  });
});

test('a host that never spoke is told of at once', async () => {
  const { code, err } = await run(['restart', 'web', '--detach']);
  expect(code).toBe(0);
  expect(err).toMatch(/^vm-1 was never heard of; the command waits until \d\d:\d\d and then expires\n$/);
});

test('status, checks, alerts, incidents and backups of a platform that is just set up', async () => {
  expect((await run(['status'])).out).toContain('demo  runbook version 2');
  for (const verb of ['status', 'check', 'alerts', 'incidents', 'backups']) {
    expect(await run([verb, '--json'])).toMatchObject({ code: 0, err: '' });
  }
});
