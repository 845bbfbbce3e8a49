import { spawnSync } from 'node:child_process';
import { linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appendLineOnce } from '#agent/host/line-log.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-log-'));
  file = join(dir, 'alerts.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('a line is there once, however often it comes', () => {
  expect(appendLineOnce(file, { id: 'a' })).toBe(true);
  expect(appendLineOnce(file, { id: 'b' })).toBe(true);
  expect(appendLineOnce(file, { id: 'a' })).toBe(false);
  expect(readFileSync(file, 'utf8')).toBe('{"id":"a"}\n{"id":"b"}\n');
});

test('a line that a crash cut short stays alone', () => {
  writeFileSync(file, '{"id":"a"}\n{"id":"b');
  expect(appendLineOnce(file, { id: 'b' })).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe('{"id":"a"}\n{"id":"b\n{"id":"b"}\n');
});

test.each([
  ['a link', (to: string) => symlinkSync(to, file)],
  ['a second name', (to: string) => linkSync(to, file)],
  ['a pipe', () => spawnSync('/usr/bin/mkfifo', [file])],
])('%s in its place is refused, and nothing is written elsewhere', (_case, place) => {
  const secret = join(dir, 'secret');
  writeFileSync(secret, 'kept');
  place(secret);
  expect(() => appendLineOnce(file, { id: 'a' })).toThrow();
  expect(readFileSync(secret, 'utf8')).toBe('kept');
});
