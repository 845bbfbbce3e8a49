import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfiguration } from '#agent/operations/backup-secrets.ts';

let dir: string;
let writer: ChildProcess | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-config-'));
});
afterEach(() => {
  writer?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

function namesIn(tar: Buffer): string[] {
  const { stdout } = spawnSync('/usr/bin/tar', ['--list'], { input: tar, encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '');
}

test('archives what is there and notes what is not', async () => {
  const [file, missing] = [join(dir, 'app.conf'), join(dir, 'none.conf')];
  writeFileSync(file, 'a');
  const { tar, notes } = await readConfiguration([file, missing], AbortSignal.timeout(20_000));
  expect(namesIn(tar)).toEqual([file.slice(1)]);
  expect(notes).toEqual([`not there: ${missing}`]);
});

test('a log that grows while it is read is archived, and noted by its name', async () => {
  mkdirSync(join(dir, 'conf'));
  const log = join(dir, 'conf', 'app.log');
  writeFileSync(log, Buffer.alloc(20_000_000, 'line\n'));
  writer = spawn('/bin/sh', ['-c', 'while :; do echo grown >> "$0"; done', log], { stdio: 'ignore' });
  await new Promise((resolve) => writer?.once('spawn', resolve));
  const { tar, notes } = await readConfiguration([join(dir, 'conf')], AbortSignal.timeout(20_000));
  expect(namesIn(tar)).toContain(log.slice(1));
  expect(notes).toEqual([`${log.slice(1)}: file changed as we read it`]);
});
