import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockHome, openHome } from '#local/stack/home.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-home-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('keeps keys, objects and mail where only their owner looks', () => {
  const home = openHome(dir);
  for (const part of [home.keys, home.gcs, home.mail, home.pubsub, home.host, home.logs]) {
    expect(statSync(part).mode & 0o777).toBe(0o700);
  }
});

test('refuses a second stack in the same home and says where the first answers', () => {
  const lock = lockHome(dir);
  lock.announce('http://127.0.0.1:8321');
  expect(() => lockHome(dir)).toThrow(`it already runs at http://127.0.0.1:8321 (process ${process.pid})`);
  lock.release();
  lockHome(dir).release();
});

test('takes over the lock of a process that is gone, even when its id was given to another', () => {
  writeFileSync(join(dir, 'stack.lock'), JSON.stringify({ pid: process.pid, startTicks: '1', url: null }));
  lockHome(dir).release();
  writeFileSync(join(dir, 'stack.lock'), 'half a lo');
  lockHome(dir).release();
});

test('says which home can not be used, and what to do', () => {
  writeFileSync(join(dir, 'file'), '');
  expect(() => lockHome(join(dir, 'file/home'))).toThrow(`use state directory ${dir}/file/home: ENOTDIR`);
});
