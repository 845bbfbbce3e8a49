import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { appendLineOnce } from '#agent/host/line-log.ts';
import {
  findPathFault,
  findServiceDirectoryFault,
  openUnlinkedDirectory,
  requireTrustedPath,
} from '#agent/host/trusted-path.ts';
import { makeLocalBackup } from '#agent/operations/backup/store.ts';
import { loadPolicy } from '#agent/policy/load.ts';
import { BackupId } from '#shared/names.ts';

/** An account that is neither root nor the one that runs this test. */
const OTHER = 4711;
const isRoot = process.getuid?.() === 0;
const BACKUP = BackupId.parse('20261126T020000Z-1f3a9c');

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'lamplighter-path-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function makeDir(name: string, mode = 0o755): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  return path;
}

test('a path of which every directory is the own one is believed, whether its end is there or not', () => {
  const path = makeDir('app/backups');
  expect(findPathFault(path)).toBeUndefined();
  expect(findPathFault(join(path, 'not/there/yet'))).toBeUndefined();
});

test('a link that root placed is followed, and what it leads to is looked at', () => {
  const real = makeDir('real', 0o757);
  symlinkSync('real', join(dir, 'link'));
  expect(findPathFault(join(dir, 'link/backups'))).toBe(`${real} can be written by others than root`);
  chmodSync(real, 0o755);
  expect(findPathFault(join(dir, 'link/backups'))).toBeUndefined();
  symlinkSync('../real', join(real, 'up'));
  expect(findPathFault(join(dir, 'link/up/up/up'))).toBeUndefined();
});

test('links that lead in a circle come to an end', () => {
  symlinkSync('b', join(dir, 'a'));
  symlinkSync('a', join(dir, 'b'));
  expect(findPathFault(join(dir, 'a'))).toMatch(/too many links/);
});

test.each([
  ['a directory that everybody may write to', 0o777, /can be written by others/],
  ['a sticky directory where anybody can make the next name', 0o1777, /anybody can make/],
])('%s is refused', (_name, mode, fault) => {
  expect(findPathFault(join(makeDir('open', mode), 'backups'))).toMatch(fault);
});

test('what is there in a sticky directory and is the own one can be replaced by nobody', () => {
  makeDir('tmp', 0o1777);
  expect(findPathFault(makeDir('tmp/backups'))).toBeUndefined();
  expect(findPathFault(join(dir, 'tmp'))).toMatch(/anybody can write to/);
});

describe.skipIf(!isRoot)('with another account (needs root)', () => {
  test.each([
    ['a folder that the app owns', (path: string) => chownSync(path, OTHER, OTHER), /belongs to uid 4711/],
    [
      'a folder that a group may write to',
      (path: string) => {
        chownSync(path, 0, OTHER);
        chmodSync(path, 0o775);
      },
      /can be written by others/,
    ],
  ])('%s on the way is refused', (_name, spoil, fault) => {
    const app = makeDir('app');
    makeDir('app/backups');
    spoil(app);
    expect(findPathFault(join(app, 'backups'))).toMatch(fault);
    expect(() => requireTrustedPath(join(app, 'backups'))).toThrow(fault);
  });

  test("a link that is the app's is refused, wherever it leads", () => {
    makeDir('real');
    symlinkSync('real', join(dir, 'link'));
    lchownSync(join(dir, 'link'), OTHER, OTHER);
    expect(findPathFault(join(dir, 'link'))).toMatch(/link belongs to uid 4711/);
  });

  test("root changes neither owner nor mode of what the app's link leads to", () => {
    const [victim, app] = [makeDir('victim', 0o700), makeDir('app')];
    chownSync(victim, OTHER + 1, OTHER + 1);
    chownSync(app, OTHER, OTHER);
    symlinkSync(victim, join(app, 'backups'));
    expect(() => makeLocalBackup(join(app, 'backups'), BACKUP, 0)).toThrow(/belongs to uid 4711/);
    const { uid, gid, mode } = lstatSync(victim);
    expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: OTHER + 1, gid: OTHER + 1, mode: 0o700 });
  });

  test("the policy allows nothing while it is not root's, or a directory that it names is not", () => {
    const file = join(dir, 'policy.yaml');
    const backups = makeDir('app/backups');
    const policy = {
      version: 1,
      host: 'web-1',
      operations: [],
      units: {},
      backup: { bucket: 'bucket', localDir: backups, recipients: [`age1${'q'.repeat(58)}`], configPaths: [] },
    };
    writeFileSync(file, stringify(policy));
    expect(loadPolicy(file, 'web-1').policy.host).toBe('web-1');
    chownSync(join(dir, 'app'), OTHER, OTHER);
    expect(() => loadPolicy(file, 'web-1')).toThrow(/not root's alone: .*app belongs to uid 4711/);
    chownSync(join(dir, 'app'), 0, 0);
    chmodSync(file, 0o666);
    expect(() => loadPolicy(file, 'web-1')).toThrow(/policy.yaml can be written by others/);
  });

  test("a service's own socket directory may be its own, the way to it not", () => {
    const sockets = makeDir('run/postgresql', 0o2775);
    chownSync(sockets, OTHER, OTHER);
    expect(findServiceDirectoryFault(sockets)).toBeUndefined();
    chmodSync(sockets, 0o777);
    expect(findServiceDirectoryFault(sockets)).toMatch(/anybody can write/);
    chmodSync(sockets, 0o755);
    chownSync(join(dir, 'run'), OTHER, OTHER);
    expect(findServiceDirectoryFault(sockets)).toMatch(/run belongs to uid 4711/);
  });

  test("root appends to a log in the app's folder, and follows no link that the app puts on the way", () => {
    const [app, logs] = [makeDir('app'), makeDir('app/logs')];
    for (const path of [app, logs]) chownSync(path, OTHER, OTHER);
    expect(appendLineOnce(join(logs, 'alerts.jsonl'), { id: 'a' })).toBe(true);
    expect(readFileSync(join(logs, 'alerts.jsonl'), 'utf8')).toBe('{"id":"a"}\n');
    const victim = makeDir('victim');
    renameSync(logs, join(app, 'old'));
    symlinkSync(victim, logs);
    lchownSync(logs, OTHER, OTHER);
    expect(() => appendLineOnce(join(logs, 'alerts.jsonl'), { id: 'b' })).toThrow(
      /"logs" is no directory, or a link/,
    );
    expect(() => lstatSync(join(victim, 'alerts.jsonl'))).toThrow();
  });

  test('an opened directory stays the one that was opened', () => {
    const app = makeDir('app');
    chownSync(app, OTHER, OTHER);
    writeFileSync(join(app, 'file'), 'its own');
    const open = openUnlinkedDirectory(app);
    renameSync(app, join(dir, 'moved'));
    makeDir('app');
    writeFileSync(join(app, 'file'), 'another');
    expect(readFileSync(open.pathOf('file'), 'utf8')).toBe('its own');
    open.close();
  });
});
