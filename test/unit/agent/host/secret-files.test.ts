import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readSecretValues } from '#agent/host/secret-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'lamplighter-secrets-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

test('reads files and the files of a directory, each value once', () => {
  const folder = join(dir, 'credentials');
  mkdirSync(join(folder, 'deeper'), { recursive: true });
  writeFileSync(join(folder, 'db'), 'hunter2\n');
  symlinkSync(join(folder, 'db'), join(folder, 'link'));
  const env = write('app.env', 'DB_PASS=hunter2\nAPI_TOKEN=abc-def-1\n');
  expect(readSecretValues([env, folder]).toSorted()).toEqual(['abc-def-1', 'hunter2']);
});

test('a file that is not there has nothing to hide', () => {
  expect(readSecretValues([join(dir, 'none'), join(dir, 'app.env/none')])).toEqual([]);
});

test('a pipe in a file’s place does not block', () => {
  const pipe = join(dir, 'pipe');
  expect(spawnSync('/usr/bin/mkfifo', [pipe]).status).toBe(0);
  expect(readSecretValues([pipe])).toEqual([]);
});

test('one that is too large is told, and so nothing is shown', () => {
  const large = write('large', 'x'.repeat(1024 * 1024 + 1));
  expect(() => readSecretValues([large])).toThrow(`read secret file ${large}: it is larger than`);
});
