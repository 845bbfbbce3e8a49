// Real targets that fail in each way, over the real network stack.
import { spawn, spawnSync } from 'node:child_process';
import { createServer as createHttp, type Server as HttpServer, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { lookHttp, MAX_CHECKED_BODY_BYTES } from '#functions/check/kinds/http.ts';
import { lookTcp } from '#functions/check/kinds/tcp.ts';
import type { HttpCheck } from '#shared/runbook/schema.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { SELF_SIGNED } from './self-signed.ts';

const open: Server[] = [];
const sockets = new Set<Socket>();

async function listen(server: Server): Promise<number> {
  open.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function freePort(): Promise<number> {
  const server = createTcp();
  const port = await listen(server);
  open.pop();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

type Expectation = Partial<HttpCheck>;
async function ask(port: number, expectation: Expectation = {}, timeoutMs = PATIENCE_MS, scheme = 'http') {
  const check = { url: `${scheme}://{address}:${port}/api`, status: 200, ...expectation };
  return await lookHttp({ address: '127.0.0.1', check, timeoutMs });
}

const json =
  (body: unknown, status = 200): RequestListener =>
  (_req, res) =>
    void res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const ANSWERS: [string, RequestListener, Expectation, string, string | RegExp][] = [
  [
    'the expected answer',
    json({ engines: [{ id: 7 }] }),
    { jsonPath: 'engines[0].id' },
    'good',
    /^status 200 in [\d.]+ ms$/,
  ],
  ['another status', json({}, 502), {}, 'bad', 'status 502, expected 200'],
  ['an expected error status', json({}, 404), { status: 404 }, 'good', /^status 404/],
  [
    'a redirect, which is not followed',
    (_req, res) => void res.writeHead(302, { location: 'https://else.example/login' }).end(),
    {},
    'bad',
    'status 302 (redirect to https://else.example/login), expected 200',
  ],
  ['a missing text', json({ a: 1 }), { bodyContains: 'engines' }, 'bad', 'body does not contain "engines"'],
  ['a text that is there', json({ engines: 1 }), { bodyContains: 'engines' }, 'good', /^status 200/],
  ['an empty list', json({ engines: [] }), { jsonPath: 'engines[0].id' }, 'bad', 'body has no engines[0].id'],
  [
    'a null',
    json({ engines: [{ id: null }] }),
    { jsonPath: 'engines[0].id' },
    'bad',
    'body has no engines[0].id',
  ],
  [
    'HTML in place of JSON',
    (_req, res) => void res.end('<html>'),
    { jsonPath: 'a' },
    'bad',
    'body is not JSON',
  ],
  [
    'a body without end',
    (_req, res) => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const write = (): void => {
        while (!res.destroyed && res.write(chunk));
        if (!res.destroyed) res.once('drain', write);
      };
      write();
    },
    { jsonPath: 'a' },
    'bad',
    'body is larger than 1 MiB and was not read as JSON',
  ],
  [
    'a slow answer',
    (_req, res) => void setTimeout(() => res.end('{}'), 80),
    { maxLatencyMs: 20 },
    'bad',
    /^answered after \d+ ms, allowed 20 ms$/,
  ],
  ['no answer', () => undefined, {}, 'bad', 'no answer within 300 ms'],
  [
    'half an answer',
    (_req, res) => void res.writeHead(200, { 'content-length': '100' }).write('half'),
    {},
    'bad',
    // Its beginning has to come within that time.
    'no end of the answer within 3000 ms',
  ],
  [
    'an answer that breaks off',
    (_req, res) => {
      res.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => res.destroy(), 20);
    },
    {},
    'bad',
    'connection closed in the middle of the answer',
  ],
  [
    'a connection that is closed',
    (req) => void req.socket.destroy(),
    {},
    'bad',
    'connection closed before an answer',
  ],
];

describe('an HTTP check', () => {
  test.each(ANSWERS)('tells %s', async (_name, listener, expectation, verdict, reason) => {
    const port = await listen(createHttp(listener));
    const awaitedMs = /within (\d+) ms/.exec(String(reason))?.[1];
    const result = await ask(port, expectation, Number(awaitedMs ?? PATIENCE_MS));
    expect(result.verdict).toBe(verdict);
    if (typeof reason === 'string') expect(result.reason).toBe(reason);
    else expect(result.reason).toMatch(reason);
  });

  test('tells a refused connection', async () => {
    expect(await ask(await freePort())).toEqual({
      verdict: 'bad',
      reason: 'connect refused',
      latencyMs: null,
    });
  });

  test('tells something that does not speak HTTP', async () => {
    const port = await listen(createTcp((socket) => void socket.end('220 smtp ready\r\n')));
    expect((await ask(port)).reason).toMatch(/^answer is not HTTP: /);
  });

  test('tells an unknown name and does not call it the watcher’s fault', async () => {
    const check = { url: 'http://no-such-host.invalid/', status: 200 };
    const result = await lookHttp({ address: 'x', check, timeoutMs: PATIENCE_MS });
    // Without any resolver the answer is EAI_AGAIN, which may be the watcher's own trouble.
    expect(result.reason).toMatch(/name no-such-host\.invalid (not found|could not be resolved)/);
    expect(result.verdict).toBe('bad');
  });

  test('reads no more than the limit of a body', async () => {
    const port = await listen(
      createHttp((_req, res) => void res.end(Buffer.alloc(MAX_CHECKED_BODY_BYTES, ' '))),
    );
    expect((await ask(port, { bodyContains: 'x' })).reason).toBe('body does not contain "x"');
  });

  test.each([
    ['a path that is none', { jsonPath: 'a..b' }],
    ['a URL that is none', { url: 'http://{address}:99999/' }],
  ])('is unknown, not bad, when it can’t be made: %s', async (_name, expectation) => {
    expect(await ask(1, expectation)).toMatchObject({ verdict: 'unknown' });
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  );
  test.skipIf(!hasIpv6)(
    'asks once, follows nothing, and puts an IPv6 address in brackets (needs IPv6)',
    async () => {
      let calls = 0;
      const server: HttpServer = createHttp((req, res) => {
        calls += 1;
        res.end(req.headers['user-agent']);
      });
      open.push(server);
      await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
      const { port } = server.address() as AddressInfo;
      const check = { url: `http://{address}:${port}/`, status: 200, bodyContains: 'lamplighter-watch' };
      expect(await lookHttp({ address: '::1', check, timeoutMs: PATIENCE_MS })).toMatchObject({
        verdict: 'good',
      });
      expect(calls).toBe(1);
    },
  );
});

describe('TLS', () => {
  test('a self-signed certificate is bad and said so', async () => {
    const port = await listen(createHttps(SELF_SIGNED, json({})));
    expect(await ask(port, {}, PATIENCE_MS, 'https')).toMatchObject({
      verdict: 'bad',
      reason: 'TLS certificate is self-signed',
    });
  });

  test('a port that does not speak TLS is bad and said so', async () => {
    const port = await listen(createHttp(json({})));
    expect((await ask(port, {}, PATIENCE_MS, 'https')).reason).toMatch(/^TLS handshake failed: /);
  });
});

/** A signal takes effect a moment after it was sent. */
function isStopped(pid = 0): boolean {
  return spawnSync('/bin/ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.startsWith(
    'T',
  );
}

describe('a TCP check', () => {
  test('is good when the port takes connections', async () => {
    const port = await listen(createTcp(() => undefined));
    const result = await lookTcp({ address: '127.0.0.1', port, timeoutMs: PATIENCE_MS });
    expect(result).toMatchObject({ verdict: 'good' });
    expect(result.latencyMs).toBeGreaterThanOrEqual(0);
  });

  test('tells a refused connection', async () => {
    const result = await lookTcp({ address: '127.0.0.1', port: await freePort(), timeoutMs: PATIENCE_MS });
    expect(result).toEqual({ verdict: 'bad', reason: 'connect refused', latencyMs: null });
  });

  test('tells a target that swallows packets', async () => {
    // A stopped listener whose backlog is full drops further connection requests, as a filtering firewall does.
    const program = `const s = require('node:net').createServer();
      s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port));`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const port = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
      child.kill('SIGSTOP');
      await expect.poll(() => isStopped(child.pid)).toBe(true);
      const crowd = Array.from({ length: 6 }, () => connect({ host: '127.0.0.1', port }));
      for (const socket of crowd) socket.on('error', () => undefined);
      // Two are taken into the backlog, the others are dropped.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const result = await lookTcp({ address: '127.0.0.1', port, timeoutMs: 300 });
      for (const socket of crowd) socket.destroy();
      expect(result).toEqual({ verdict: 'bad', reason: 'no connection within 300 ms', latencyMs: null });
    } finally {
      child.kill('SIGKILL');
    }
  });
});
