// What stands before the functions framework: bodies that are too large, packed, too slow, or too many at once.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answering } from '#functions/http/answer.ts';
import { MAX_BODY_BYTES } from '#functions/http/body-limits.ts';
import { createLog } from '#functions/log.ts';
import type { FunctionProcess } from '#local/cloud/functions/process.ts';
import { ENTRY_POINTS, type EntryPointName, MAX_REPORT_BYTES } from '#shared/topology.ts';
import { chunksOf, deployFunction, exchange } from '#test/fixtures/deployed-function.ts';
import { answeringWith, serveHandler } from '#test/fixtures/function-server.ts';
import { isLong } from '#test/fixtures/long.ts';

const SILENT = createLog(() => undefined);
/** Parsed, `[{},{},…]` of 30 MB takes more than a gigabyte. */
const BOMB = Buffer.from(`[${'{},'.repeat(10_000_000)}{}]`);
const PACKED_BOMB = gzipSync(BOMB);
const TARGETS: EntryPointName[] = ['api', 'report', 'live'];
/** Takes the largest bodies; the others get the longest of them with `--long`. */
const WIDEST: EntryPointName = 'report';

const deployed = new Map<EntryPointName, FunctionProcess>();

/** There is no database: requests that are refused here reach none. */
const LITTLE_MEMORY = { NODE_OPTIONS: '--max-old-space-size=256' };

beforeAll(async () => {
  for (const target of TARGETS) deployed.set(target, await deployFunction(target, LITTLE_MEMORY));
});
afterAll(async () => {
  for (const one of deployed.values()) await one.close();
});

/** `count` chunks of one byte each: six bytes on the wire for one of the body. */
function tinyChunks(count: number): Buffer[] {
  return [Buffer.from('1\r\nx\r\n'.repeat(count)), Buffer.from('0\r\n\r\n')];
}

function peakBytes(one: FunctionProcess): number {
  const status = readFileSync(`/proc/${one.pid()}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

function problemIn(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}

const HOSTILE: [string, number, string[], () => Buffer[]][] = [
  ['of a length that is too large', 413, [`content-length: ${BOMB.byteLength}`], () => [BOMB]],
  ['of a length that it only claims', 413, ['content-length: 1073741824'], () => [BOMB]],
  ['in chunks, without a length', 413, ['transfer-encoding: chunked'], () => chunksOf(BOMB)],
  ...['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'GZIP'].map(
    (encoding): [string, number, string[], () => Buffer[]] => [
      `packed as ${encoding}`,
      415,
      [`content-encoding: ${encoding}`, `content-length: ${PACKED_BOMB.byteLength}`],
      () => [PACKED_BOMB],
    ],
  ),
];

describe.each(TARGETS)('%s, as it is deployed, with little memory', (target) => {
  test.each(HOSTILE)('refuses a body %s', async (_name, status, head, body) => {
    const one = deployed.get(target);
    const pid = one?.pid();
    const answer = await exchange(one?.url ?? '', head, body());
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('content-type: application/problem+json');
    expect(problemIn(answer)).toMatchObject({ status, code: 'invalid-input' });
    // Still the same process.
    expect(one?.pid()).toBe(pid);
  });

  if (isLong || target === WIDEST)
    test('reads a body of two million chunks of one byte in little memory', async () => {
      const one = deployed.get(target);
      const pid = one?.pid();
      const head = ['transfer-encoding: chunked', 'connection: close'];
      const answer = await exchange(one?.url ?? '', head, tinyChunks(2_000_000));
      expect(answer).toMatch(/^HTTP\/1\.1 \d{3} /);
      expect(answer).toContain('content-type: application/problem+json');
      expect(one?.pid()).toBe(pid);
    });

  test('took no memory for any of them', (context) => {
    const one = deployed.get(target);
    if (!one || process.platform !== 'linux') return context.skip('only Linux tells the peak of a process');
    expect(peakBytes(one)).toBeLessThan(300 * 1024 * 1024);
  });

  if (isLong || target === WIDEST)
    test('forty at once end nothing', async () => {
      const one = deployed.get(target);
      const head = ['transfer-encoding: chunked'];
      const answers = await Promise.all(
        Array.from({ length: 40 }, () =>
          exchange(one?.url ?? '', head, chunksOf(BOMB.subarray(0, 16_000_000))),
        ),
      );
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 (408|413|503) /);
    });
});

test('the limits hold what is permitted', () => {
  expect(Object.keys(MAX_BODY_BYTES).toSorted()).toEqual(ENTRY_POINTS.map(({ name }) => name).toSorted());
  const push = {
    message: { data: Buffer.alloc(MAX_REPORT_BYTES).toString('base64'), messageId: 'x'.repeat(200) },
  };
  expect(Buffer.byteLength(JSON.stringify(push))).toBeLessThan(MAX_BODY_BYTES.report);
});

describe('a handler behind the front door', () => {
  const echo = answering(answeringWith(SILENT), (req) =>
    Promise.resolve({ body: { bytes: req.rawBody?.byteLength } }),
  );

  test.each([
    ['of exactly the limit', 1000, 200],
    ['one byte above', 1001, 413],
  ])('a body %s', async (_name, bytes, status) => {
    const server = await serveHandler(echo, SILENT, { limits: { maxBytes: 1000 } });
    const whole = await fetch(server.url, { method: 'POST', body: 'x'.repeat(bytes) });
    expect(whole.status).toBe(status);
    const pieces = chunksOf(Buffer.alloc(bytes, 'x'));
    const chunked = await exchange(server.url, ['transfer-encoding: chunked', 'connection: close'], pieces);
    expect(chunked).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    await server.close();
  });

  test('gets bytes that nobody parsed', async () => {
    const server = await serveHandler(
      answering(answeringWith(SILENT), (req) =>
        Promise.resolve({ body: { raw: String(req.rawBody), parsed: typeof req.body } }),
      ),
    );
    const answer = await fetch(server.url, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(await answer.json()).toEqual({ raw: '{"a":1}', parsed: 'undefined' });
    await server.close();
  });

  test('a sender that does not go on is cut off with 408', async () => {
    const server = await serveHandler(echo, SILENT, { limits: { timeoutMs: 50 } });
    const answer = await exchange(server.url, ['content-length: 100'], [Buffer.from('a little')]);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    await server.close();
  });

  test('bodies share a budget, which they give back', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holding = answering(answeringWith(SILENT), async () => {
      await held;
      return {};
    });
    const server = await serveHandler(holding, SILENT, { limits: { maxHeldBytes: 1000 } });
    const post = () => fetch(server.url, { method: 'POST', body: 'x'.repeat(600) });
    const [first, second] = [post(), post()];
    const refused = await Promise.race([first, second]);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    release();
    expect(
      (await Promise.all([first, second])).map(({ status }) => status).toSorted((a, b) => a - b),
    ).toEqual([204, 503]);
    await expect.poll(async () => (await post()).status).toBe(204);
    await server.close();
  });

  test('a sender that goes away leaves nothing behind', async () => {
    const server = await serveHandler(echo, SILENT, { limits: { maxHeldBytes: 1000 } });
    const { hostname, port } = new URL(server.url);
    for (let i = 0; i < 5; i++) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n${'x'.repeat(500)}`);
      await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await expect
      .poll(async () => (await fetch(server.url, { method: 'POST', body: 'x'.repeat(900) })).status)
      .toBe(200);
    await server.close();
  });
});
