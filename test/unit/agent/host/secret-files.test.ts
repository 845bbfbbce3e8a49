import { spawnSync } from 'node:child_process';
import { chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

const TOO_MUCH: [string, () => string[], string][] = [
  ['one that is too large', () => [write('large', 'x\n'.repeat(32 * 1024 + 1))], 'it is larger than'],
  ['a line that is too long', () => [write('long', `TOKEN=${'aB3$'.repeat(1025)}`)], 'longer than 4096 char'],
  ['too many files', () => [folderOf(201)], 'more than 200 files'],
  ['too many bytes in all', () => many(5, `# ${'x'.repeat(60_000)}`), 'more than 262144 bytes'],
  ['too many values', () => many(3, lines(700, 8)), 'more than 2000 values'],
  ['too long values in all', () => many(2, lines(50, 800)), 'more than 65536 characters'],
];

/** `count` files of the same text, in which `@` is replaced by a different text each time. */
function many(count: number, text: string): string[] {
  return Array.from({ length: count }, (_, i) => write(`many-${i}`, text.replaceAll('@', String(i))));
}

function lines(count: number, length: number): string {
  return Array.from({ length: count }, (_, i) => `PASSWORD${i}=${`@x${i}y`.padEnd(length, 'q')}`).join('\n');
}

function folderOf(count: number): string {
  const folder = mkdtempSync(join(dir, 'many-'));
  for (let i = 0; i < count; i++) writeFileSync(join(folder, String(i)), '');
  return folder;
}

test.each(TOO_MUCH)('%s is told, and so nothing is shown', (_name, make, reason) => {
  const paths = make();
  expect(() => readSecretValues(paths)).toThrow(reason);
});

describe.runIf(process.getuid?.() === 0 && process.platform === 'linux')(
  'in a folder of the product’s',
  () => {
    const OTHER = 4711;
    let app: string;
    beforeAll(() => {
      app = join(dir, 'app');
      mkdirSync(app);
      chownSync(app, OTHER, OTHER);
      symlinkSync(write('roots-own', 'TOKEN=abc-def-2'), join(app, 'link'));
      lchownSync(join(app, 'link'), OTHER, OTHER);
      symlinkSync(dir, join(app, 'way'));
      lchownSync(join(app, 'way'), OTHER, OTHER);
      writeFileSync(join(app, 'plain'), 'TOKEN=abc-def-3');
    });

    test('a plain file is read', () => {
      expect(readSecretValues([join(app, 'plain'), join(app, 'none')])).toEqual(['abc-def-3']);
    });

    test.each(['link', 'way/roots-own', '.'])(
      'no link of the product’s leads root elsewhere (%s)',
      (name) => {
        expect(() => readSecretValues([join(app, name)])).toThrow(/a link that is not root's/);
      },
    );
  },
);
