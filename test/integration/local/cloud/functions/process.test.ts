import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFunction } from '#local/cloud/functions/process.ts';
import { holdPort } from '#local/ports.ts';

const LOOPBACK = '127.0.0.1';
let dir: string;
let source: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-function-'));
  source = join(dir, 'index.cjs');
  writeFileSync(source, 'exports.hello = (_request, response) => response.send("hello");');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function options(port: number) {
  return { target: 'hello', source, address: LOOPBACK, port, env: {}, logFile: join(dir, 'hello.log') };
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
  const mark = randomUUID();
  const own = join(dir, 'own.cjs');
  writeFileSync(
    own,
    `exports.mark = "${mark}";
     const { flushCompileCache, getCompileCacheDir } = require("node:module");
     exports.hello = (_request, response) => {
       // Node writes the cache when a process ends; a process that had to be killed under load leaves none.
       flushCompileCache();
       response.send(getCompileCacheDir() ?? "no folder");
     };`,
  );
  const running = await startFunction({ ...options(held.port), source: own });
  let folder: string;
  try {
    folder = await (await fetch(running.url)).text();
  } finally {
    await running.close();
  }
  // All starts share the folder, and only the code of this source bears its mark. A file that is being written has a dot.
  const names = readdirSync(folder).filter((name) => !name.includes('.'));
  expect(names.filter((name) => readFileSync(join(folder, name)).includes(mark))).toHaveLength(1);
});

test('a function whose port another program took fails the start, though that program accepts connections', async () => {
  const other = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => other.listen(0, LOOPBACK, resolve));
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  try {
    await expect(startFunction(options(port))).rejects.toThrow(
      `start function hello on ${LOOPBACK}:${port}: the process ended before it listened (code 1)`,
    );
  } finally {
    other.close();
  }
});
