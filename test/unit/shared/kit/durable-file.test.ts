import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appendDurably, createDurableFile, moveDurably, writeDurably } from '#shared/kit/durable-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'durable-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('a file is replaced as a whole, with exactly its mode, and nothing is left beside it', () => {
  const file = join(dir, 'a');
  // A crash may have left a temporary file with another mode.
  writeFileSync(`${file}.part`, 'what a crash left, and longer', { mode: 0o777 });
  writeDurably(file, 'first', 0o600);
  // The mode holds although every usual umask removes the right of the group to write.
  writeDurably(file, 'second', 0o664);
  expect(readFileSync(file, 'utf8')).toBe('second');
  expect(statSync(file).mode & 0o777).toBe(0o664);
  expect(readdirSync(dir)).toEqual(['a']);
});

test('a write that fails leaves the file as it was', () => {
  const file = join(dir, 'a');
  writeDurably(file, 'whole', 0o600);
  // @ts-expect-error what can't be written
  expect(() => writeDurably(file, 1, 0o600)).toThrow();
  expect(readFileSync(file, 'utf8')).toBe('whole');
});

test('lines are appended', () => {
  const file = join(dir, 'a');
  appendDurably(file, 'one', 0o600);
  appendDurably(file, 'two', 0o600);
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n');
});

test('a new file is made once, for its owner alone, and moves over another', async () => {
  const [from, to] = [join(dir, 'from'), join(dir, 'to')];
  await createDurableFile(from, 'new');
  expect(statSync(from).mode & 0o777).toBe(0o600);
  await expect(createDurableFile(from, 'again')).rejects.toMatchObject({ code: 'EEXIST' });
  writeFileSync(to, 'old');
  await moveDurably(from, to);
  expect(readdirSync(dir)).toEqual(['to']);
  expect(readFileSync(to, 'utf8')).toBe('new');
});
