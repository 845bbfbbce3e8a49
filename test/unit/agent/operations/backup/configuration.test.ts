import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { readConfiguration } from '#agent/operations/backup/configuration.ts';

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
  const { tar, notes, leftOut } = await readConfiguration([file, missing], AbortSignal.timeout(20_000));
  expect(leftOut).toEqual([]);
  expect(namesIn(tar)).toEqual([file.slice(1)]);
  expect(notes).toEqual([`not there: ${missing}`]);
});

test('a log that grows while it is read is archived, and noted by its name', async () => {
  mkdirSync(join(dir, 'conf'));
  const log = join(dir, 'conf', 'app.log');
  writeFileSync(log, Buffer.alloc(20_000_000, 'line\n'));
  const grow = `const { appendFileSync } = require('node:fs'); for (;;) appendFileSync(process.argv[1], 'grown\\n')`;
  writer = spawn(process.execPath, ['-e', grow, log], { stdio: 'ignore' });
  await expect.poll(() => statSync(log).size).toBeGreaterThan(20_000_000);
  const { tar, notes } = await readConfiguration([join(dir, 'conf')], AbortSignal.timeout(20_000));
  expect(namesIn(tar)).toContain(log.slice(1));
  expect(notes).toEqual([`${log.slice(1)}: file changed as we read it`]);
});

test('files of one name in several folders keep their paths, whatever their folders are called', async () => {
  const files = ['a&b', 'c,d', 'e\\f', 'g'].map((name) => join(dir, name, 'app.conf'));
  for (const file of files) {
    mkdirSync(dirname(file));
    writeFileSync(file, file);
  }
  const { tar, notes } = await readConfiguration(files, AbortSignal.timeout(20_000));
  const { stdout } = spawnSync('/usr/bin/tar', ['--extract', '--to-stdout'], {
    input: tar,
    encoding: 'utf8',
  });
  expect(stdout).toBe(files.join(''));
  expect(namesIn(tar)).toEqual(files.map((file) => file.slice(1).replaceAll('\\', '\\\\')));
  expect(notes).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)(
  'a link of the application above a file is not followed, a link of root is',
  async () => {
    // Not in /tmp, where anybody may make a link, nor in /run, which some containers have like it.
    const root = mkdtempSync('/var/lamplighter-config-');
    onTestFinished(() => rmSync(root, { recursive: true }));
    mkdirSync(join(root, 'secret'));
    writeFileSync(join(root, 'secret', 'app.conf'), 'of root');
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'app'));
    chownSync(join(root, 'app'), 12_345, 12_345);
    symlinkSync(join(root, 'secret'), join(root, 'app', 'current'));
    symlinkSync(join(root, 'secret'), join(root, 'linked'));
    const paths = [join(root, 'app', 'current', 'app.conf'), join(root, 'linked', 'app.conf')];
    const { tar, notes, leftOut } = await readConfiguration(paths, AbortSignal.timeout(20_000));
    expect(leftOut).toEqual([paths[0]]);
    expect(namesIn(tar)).toEqual([join(root, 'linked', 'app.conf').slice(1)]);
    expect(notes).toEqual([expect.stringMatching(/^left out .*current.*a link that is not root's/)]);
  },
);
