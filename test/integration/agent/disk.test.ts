// What a clean-up removes and what it leaves, and what fills a folder: on real files, with a process that has one open.
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readUsage } from '#agent/host/disk-usage.ts';
import { findOpenFiles } from '#agent/host/open-files.ts';
import { listOld, removeOld } from '#agent/operations/disk/old-files.ts';

const DAY_MS = 24 * 60 * 60_000;
const NOW_MS = Date.parse('2026-11-27T12:00:00.000Z');

let dir: string;
let folder: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-disk-'));
  folder = join(dir, 'logs');
  mkdirSync(folder);
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function write(name: string, days: number, text = 'a line\n'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  const at = new Date(NOW_MS - days * DAY_MS);
  utimesSync(path, at, at);
  return path;
}

const CLEAN = { names: ['*.log'], olderThanDays: 7, keepNewest: 1 };
/** By this process: in a container, root may not see what the processes outside have open. */
const openHere = () => findOpenFiles([String(process.pid)]);
const list = (more: object = {}) => listOld({ ...CLEAN, folder, ...more }, undefined, NOW_MS, openHere());
const remove = (files: ReturnType<typeof list>['files']) => removeOld(folder, files, openHere());

describe.skipIf(process.platform !== 'linux')('a clean-up (needs Linux)', () => {
  test('removes files of the right name and age, and nothing else', () => {
    for (const [name, days] of [
      ['today.log', 0],
      ['six.log', 6.9],
      ['eight.log', 7.1],
      ['old.log', 100],
      ['old.txt', 100],
      ['-rf.log', 50],
      ['two\nlines.log', 60],
    ] as const)
      write(name, days);
    mkdirSync(join(folder, 'sub.log'));
    const { files } = list();
    expect(files.map(({ name }) => name)).toEqual(['old.log', 'two\nlines.log', '-rf.log', 'eight.log']);
    const { removed, left } = remove(files);
    expect(removed).toHaveLength(4);
    expect(left).toEqual([]);
    expect(readdirSync(folder).toSorted()).toEqual(['old.txt', 'six.log', 'sub.log', 'today.log']);
  });

  test('leaves a link, a file with a second name, and one that a process has open', () => {
    const precious = join(dir, 'precious.txt');
    writeFileSync(precious, 'keep me');
    symlinkSync(precious, join(folder, 'link.log'));
    linkSync(write('linked.log', 30), join(dir, 'other-name'));
    const open = openSync(write('open.log', 40), 'r');
    write('new.log', 0);
    const { files, left } = list();
    closeSync(open);
    expect(files).toEqual([]);
    expect(left.map(({ name }) => name)).toEqual(['open.log', 'linked.log']);
    expect(left[0]?.why).toBe('a process has it open');
  });

  test('keeps the newest of those that match, however old all of them are', () => {
    for (const days of [40, 50, 60]) write(`${days}.log`, days);
    expect(list().files.map(({ name }) => name)).toEqual(['60.log', '50.log']);
    expect(list({ keepNewest: 3 }).files).toEqual([]);
    expect(list({ keepNewest: 0 }).files).toHaveLength(3);
  });

  test('removes only what is still the same as in its plan', () => {
    for (const name of ['a.log', 'b.log', 'c.log', 'd.log', 'e.log']) write(name, 30);
    write('new.log', 0);
    const { files } = list();
    write('a.log', 0, 'written again\n');
    rmSync(join(folder, 'b.log'));
    rmSync(join(folder, 'c.log'));
    symlinkSync(join(dir, 'precious'), join(folder, 'c.log'));
    const open = openSync(join(folder, 'd.log'), 'a');
    const { removed, left } = remove(files);
    closeSync(open);
    expect(removed.map(({ name }) => name)).toEqual(['e.log']);
    expect(new Map(left.map(({ name, why }) => [name, why]))).toEqual(
      new Map([
        ['a.log', 'it has changed meanwhile'],
        ['b.log', 'it is gone already'],
        ['c.log', 'it has changed meanwhile'],
        ['d.log', 'a process has it open'],
      ]),
    );
  });

  test('follows no link that an ordinary account placed on the way', () => {
    write('old.log', 30);
    write('older.log', 40);
    symlinkSync(folder, join(dir, 'way'));
    expect(() => list({ folder: join(dir, 'way') })).toThrow('is no directory, or a link that is not root');
    expect(existsSync(join(folder, 'old.log'))).toBe(true);
  });

  test('does not touch the folder of the backups, by whatever name', () => {
    write('old.log', 30);
    expect(() => listOld({ ...CLEAN, folder }, join(dir, 'x', '..', 'logs'), NOW_MS, openHere())).toThrow(
      "Lamplighter's own backups are there",
    );
  });
});

describe.skipIf(process.platform !== 'linux')('what fills a folder (needs Linux)', () => {
  const never = new AbortController().signal;

  test('the largest files and folders, with the room of the file system', async () => {
    mkdirSync(join(folder, 'deep'));
    write('deep/two\nlines', 0, 'x'.repeat(3_000_000));
    write('small', 0, 'x'.repeat(10_000));
    symlinkSync('/usr', join(folder, 'link'));
    const { largest, ...place } = await readUsage(folder, never);
    expect(largest.slice(0, 3).map(({ path, kind }) => [path, kind])).toEqual([
      [join(folder, 'deep'), 'folder'],
      [join(folder, 'deep/two\nlines'), 'file'],
      [join(folder, 'small'), 'file'],
    ]);
    expect(place).toMatchObject({ path: folder, isPartial: false });
    expect(place.usedBytes).toBeGreaterThan(3_000_000);
    expect(place.usedBytes).toBeLessThan(20_000_000);
    expect(place.freeBytes).toBeGreaterThan(0);
  });

  test('when the time is up it says so, and tells the room all the same', async () => {
    const place = await readUsage('/usr', AbortSignal.abort());
    expect(place).toMatchObject({ isPartial: true, usedBytes: null });
    expect(place.totalBytes).toBeGreaterThan(0);
  });

  test('a folder that is not there says so', async () => {
    expect(await readUsage(join(dir, 'none'), never)).toMatchObject({
      fault: expect.stringContaining('ENOENT'),
      totalBytes: null,
    });
  });
});
