// HTTP checks judge as curl does: what a browser's client or a strict parser would not take is no fault of the target.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { MAX_UNPACKED_BYTES } from '#functions/check/kinds/body-coding.ts';
import { lookHttp } from '#functions/check/kinds/http.ts';
import type { HttpCheck } from '#shared/runbook/schema.ts';

const open: Server[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  open.push(server);
  return (server.address() as AddressInfo).port;
}

async function ask(port: number, expectation: Partial<HttpCheck>) {
  const check = { url: `http://{address}:${port}/`, status: 200, ...expectation };
  return await lookHttp({ address: '127.0.0.1', check, timeoutMs: 60_000 });
}

const packed =
  (coding: string, body: Buffer): RequestListener =>
  (_req, res) =>
    void res.writeHead(200, { 'content-encoding': coding }).end(body);

const JSON_TEXT = Buffer.from(JSON.stringify({ engines: [{ id: 7 }], text: 'engines are up' }));
const EXPECTED = { jsonPath: 'engines[0].id', bodyContains: 'engines are up' };

describe('a body that is packed although nobody asked for it', () => {
  test.each([
    ['gzip', gzipSync(JSON_TEXT)],
    ['x-gzip', gzipSync(JSON_TEXT)],
    ['GZIP', gzipSync(JSON_TEXT)],
    ['deflate', deflateSync(JSON_TEXT)],
    ['deflate', deflateRawSync(JSON_TEXT)],
    ['br', brotliCompressSync(JSON_TEXT)],
    ['zstd', zstdCompressSync(JSON_TEXT)],
    ['deflate, gzip', gzipSync(deflateSync(JSON_TEXT))],
    ['identity', JSON_TEXT],
  ])('is read: %s', async (coding, body) => {
    const port = await listen(createServer(packed(coding, body)));
    expect(await ask(port, EXPECTED)).toMatchObject({ verdict: 'good' });
    expect(await ask(port, { jsonPath: 'turbines' })).toMatchObject({ reason: 'body has no turbines' });
  });

  const bomb = Buffer.alloc(MAX_UNPACKED_BYTES + 1, ' ');
  const wideWindow = { params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 } };
  const tooLarge = 'body is larger than 8 MiB when unpacked, and was not read';
  test.each([
    ['a gzip bomb', 'gzip', gzipSync(bomb), tooLarge],
    ['a brotli bomb', 'br', brotliCompressSync(bomb), tooLarge],
    ['a zstd bomb', 'zstd', zstdCompressSync(bomb), tooLarge],
    ['a bomb in a bomb', 'gzip, gzip', gzipSync(gzipSync(Buffer.alloc(64 << 20))), tooLarge],
    [
      'zstd with a window of 128 MiB',
      'zstd',
      zstdCompressSync(bomb, wideWindow),
      "body can't be unpacked as zstd",
    ],
    [
      'more than is looked at',
      'gzip',
      gzipSync(Buffer.alloc(2 << 20, 'x')),
      'body is larger than 1 MiB and was not read as JSON',
    ],
    ['what is not gzip', 'gzip', JSON_TEXT, "body can't be unpacked as gzip"],
    ['half of it', 'gzip', gzipSync(JSON_TEXT).subarray(0, 30), "body can't be unpacked as gzip"],
    ['an unknown coding', 'rot13', JSON_TEXT, 'body has an unknown content coding, "rot13"'],
    ['many codings', 'br, br, br, br', JSON_TEXT, 'body has 4 content codings, more than 3'],
  ])('is bad, in a sentence: %s', async (_name, coding, body, reason) => {
    const port = await listen(createServer(packed(coding, body)));
    expect(await ask(port, { jsonPath: 'engines' })).toMatchObject({ verdict: 'bad', reason });
  });

  test('is not looked at when nothing is expected of it', async () => {
    const port = await listen(createServer(packed('rot13', JSON_TEXT)));
    expect(await ask(port, {})).toMatchObject({ verdict: 'good' });
  });
});

test.each(['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'])(
  'an answer with careless headers is an answer: %j',
  async (answer) => {
    const port = await listen(createTcp((socket) => void socket.once('data', () => socket.end(answer))));
    expect(await ask(port, { bodyContains: '{}' })).toMatchObject({ verdict: 'good' });
  },
);

test('200 kB of headers are taken, as curl takes them', async () => {
  const headers = Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`x-${i}`, 'x'.repeat(50_000)]));
  const port = await listen(createServer((_req, res) => void res.writeHead(200, headers).end()));
  expect(await ask(port, {})).toMatchObject({ verdict: 'good' });
});

test('JSON after a byte order mark is JSON', async () => {
  const port = await listen(createServer((_req, res) => void res.end('\uFEFF{"a":1}')));
  expect(await ask(port, { jsonPath: 'a' })).toMatchObject({ verdict: 'good' });
});

test('ports that a browser refuses are ports', async ({ skip }) => {
  // https://fetch.spec.whatwg.org/#port-blocking
  for (const port of [10080, 6566, 6667, 6000, 5060, 4190, 2049]) {
    const server = createServer((_req, res) => void res.end('{}'));
    const taken = await listen(server, port).catch(() => undefined);
    if (taken === undefined) continue;
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
    expect(await ask(port, {})).toMatchObject({ verdict: 'good' });
    return;
  }
  skip('every one of these ports is taken on this machine');
});
