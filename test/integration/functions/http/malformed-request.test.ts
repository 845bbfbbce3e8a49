// Requests that the functions framework would answer by itself, in HTML: each gets our problem details instead.
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { handleApi } from '#functions/api/handler.ts';
import { handleReport } from '#functions/command/report-handler.ts';
import { handleLive } from '#functions/live/handler.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken } from '#functions/store/tokens.ts';
import { handleWatch } from '#functions/tick/handler.ts';
import { type FunctionProcess, startFunction } from '#local/cloud/functions/process.ts';
import { findFreePort } from '#local/ports.ts';
import { Problem } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { applyTestRunbook } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let listener: CommandListener;
let api: FunctionServer;
let token: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lamplighter-malformed-'));
  database = await createTestDatabase();
  deps = createTestDeps(database.db);
  listener = createCommandListener(database.db);
  api = await serveHandler(handleApi(deps, listener), deps.log);
  await applyTestRunbook(database.db);
  token = await createToken(database.db, { name: 'viewer', role: 'viewer' });
});
afterAll(async () => {
  await api?.close();
  await listener?.close();
  await database?.drop();
  rmSync(folder, { recursive: true });
});

interface Sent {
  body?: string | Buffer;
  headers?: Record<string, string>;
  path?: string;
}

async function post(
  base: string,
  { body = '', headers = {}, path = '/v1/commands' }: Sent,
): Promise<{ status: number; type: string | undefined; answer: unknown }> {
  // Node's own client: fetch would mend the path.
  const { hostname, port } = new URL(base);
  const sent = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers };
  return await new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, method: 'POST', headers: sent }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        const type = response.headers['content-type'];
        const answer: unknown = type?.includes('json') ? JSON.parse(text) : text;
        resolve({ status: response.statusCode ?? 0, type, answer });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function postAsViewer(sent: Sent) {
  return post(api.url, { ...sent, headers: { authorization: `Bearer ${token}`, ...sent.headers } });
}

const NOT_UTF8 = Buffer.concat([Buffer.from('{"operation":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
const DEEP = `{"operation":"service.stop","params":{"service":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;

describe('what the body is not is told as a problem', () => {
  const table: [string, Sent, number, string][] = [
    ['no JSON', { body: '{"operation":' }, 400, 'it is not JSON'],
    ['a JSON text of two', { body: '{}{}' }, 400, 'it is not JSON'],
    ['an empty body', {}, 400, 'it is empty'],
    ['a string', { body: '"restart"' }, 400, 'it must be a mapping'],
    ['a number', { body: '7' }, 400, 'it must be a mapping'],
    ['a list', { body: '[]' }, 400, 'it must be a mapping'],
    ['not UTF-8', { body: NOT_UTF8 }, 400, 'it is not UTF-8'],
    ['nested too deep', { body: DEEP }, 400, 'nested'],
    ['too large', { body: `{"operation":"${'x'.repeat(1.5 * 1024 * 1024)}"}` }, 413, 'larger than'],
    ['too large and no JSON', { body: 'x'.repeat(1.5 * 1024 * 1024) }, 413, 'larger than'],
    [
      'of another charset',
      { body: '{}', headers: { 'content-type': 'application/json; charset=latin1' } },
      415,
      'charset',
    ],
    ['of an unknown encoding', { body: '{}', headers: { 'content-encoding': 'rot13' } }, 415, 'encoding'],
    ['packed', { body: gzipSync('{}'), headers: { 'content-encoding': 'gzip' } }, 415, 'encoding'],
    [
      'a form of too many fields',
      {
        body: Array.from({ length: 2000 }, (_, i) => `a${i}=1`).join('&'),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
      400,
      'it is not JSON',
    ],
    ['at a malformed path', { body: '{}', path: '/v1/commands/%ff' }, 400, 'malformed escape'],
  ];
  test.each(table)('%s', async (_name, sent, status, words) => {
    const { status: given, type, answer } = await postAsViewer(sent);
    expect(answer).toMatchObject({ status, detail: expect.stringContaining(words) });
    expect(given).toBe(status);
    expect(type).toBe('application/problem+json');
    expect(Problem.parse(answer).code).toBe('invalid-input');
  });

  test('every one of them has its line in the log', () => {
    expect(deps.logged.filter(({ severity }) => severity === 'ERROR')).toEqual([]);
    expect(deps.logged.filter(({ message }) => message === 'request refused')).toHaveLength(table.length);
  });
});

test('of a key that is given twice the last one counts', async () => {
  const body = '{"operation":"service.nothing","operation":"service.status","params":{"service":"web"}}';
  expect(await postAsViewer({ body })).toMatchObject({ status: 202 });
});

test('who may not ask is told that first', async () => {
  expect(await post(api.url, { body: '{' })).toMatchObject({
    status: 401,
    answer: { code: 'unauthenticated' },
  });
  const verifyCaller = () => Promise.reject(new LamplighterError('not-allowed', 'identify caller: no'));
  const report = await serveHandler(handleReport(createTestDeps(database.db, { verifyCaller })));
  expect(await post(report.url, { body: '{' })).toMatchObject({ status: 403 });
  await report.close();
});

test.each([
  ['a private function', () => handleWatch(createTestDeps(database.db)), 400],
  ['the relay', () => handleLive(createTestDeps(database.db)), 426],
])('%s answers in the same form', async (_name, handler, status) => {
  const server = await serveHandler(handler());
  const { type, answer } = await post(server.url, { body: '{' });
  await server.close();
  expect({ type, answer }).toMatchObject({ type: 'application/problem+json', answer: { status } });
});

async function deploy(target: string, env: Record<string, string>): Promise<FunctionProcess> {
  return await startFunction({
    target,
    source: join(import.meta.dirname, '../../../../functions/index.ts'),
    address: '127.0.0.1',
    port: await findFreePort('127.0.0.1'),
    env: { ...env, GOOGLE_CLOUD_PROJECT: 'test', PATH: process.env['PATH'] ?? '' },
    logFile: join(folder, `${target}.log`),
  });
}

test('the entry points do so as they are deployed', async () => {
  const deployed = await deploy('api', {
    DATABASE_URL: database.url,
    SIGN_URL: 'http://127.0.0.1:1',
    WEBHOOK_SECRETS: '{}',
    LIVE_URL: 'ws://127.0.0.1:1',
    API_URL: 'http://127.0.0.1:1',
    BACKUP_BUCKET: 'test-backups',
  });
  try {
    const headers = { authorization: `Bearer ${token}` };
    expect(await post(deployed.url, { body: '{', headers })).toMatchObject({
      status: 400,
      type: 'application/problem+json',
      answer: { detail: 'read body: it is not JSON' },
    });
    expect(await post(deployed.url, { body: '{}', headers: { 'content-encoding': 'x' } })).toMatchObject({
      status: 415,
      type: 'application/problem+json',
    });
  } finally {
    await deployed.close();
  }
});

test('one that could not start says so in the same form', async () => {
  const deployed = await deploy('report', {});
  try {
    expect(await post(deployed.url, { body: '{}' })).toMatchObject({
      status: 500,
      type: 'application/problem+json',
      answer: { code: 'internal' },
    });
  } finally {
    await deployed.close();
  }
});
