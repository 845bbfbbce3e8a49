import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFunction } from '#local/functions/process.ts';
import { holdPort } from '#local/ports.ts';

const LOOPBACK = '127.0.0.1';
let dir: string;
let source: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-function-'));
  source = join(dir, 'index.cjs');
  writeFileSync(
    source,
    `exports.hello = (_request, response) => response.send("hello");
     exports.cache = (_request, response) => response.send(require("node:module").getCompileCacheDir());`,
  );
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function options(port: number, target = 'hello') {
  return { target, source, address: LOOPBACK, port, env: {}, logFile: join(dir, 'hello.log') };
}

test('a function answers on the address and port that it was given', async () => {
  const held = await holdPort(LOOPBACK);
  await held.release();
  const running = await startFunction(options(held.port));
  try {
    expect(await (await fetch(running.url)).text()).toBe('hello');
  } finally {
    await running.close();
  }
});

test('a function leaves its compiled code for the next start', async () => {
  const held = await holdPort(LOOPBACK);
  await held.release();
  const running = await startFunction(options(held.port, 'cache'));
  let folder: string;
  try {
    folder = await (await fetch(running.url)).text();
  } finally {
    await running.close();
  }
  expect(readdirSync(folder)).not.toEqual([]);
});

test('a function whose port another program took fails the start, though that program accepts connections', async () => {
  const other = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => other.listen(0, LOOPBACK, resolve));
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  try {
    await expect(startFunction(options(port))).rejects.toThrow(
      `start function hello on ${LOOPBACK}:${port}: it ended before it listened (code 1)`,
    );
  } finally {
    other.close();
  }
});
