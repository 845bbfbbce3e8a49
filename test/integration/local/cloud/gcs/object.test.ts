import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { File } from '@google-cloud/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGcs, runGcs, statusOf } from './running-server.ts';

let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs();
});
afterAll(() => gcs.close());

const SIMPLE = { resumable: false } as const;

describe('preconditions of a write', () => {
  test.each([
    ['ifGenerationMatch=0 creates', false, { ifGenerationMatch: 0 }, 200],
    ['ifGenerationMatch=0 never overwrites', true, { ifGenerationMatch: 0 }, 412],
    ['ifGenerationMatch=live overwrites', true, { ifGenerationMatch: 'live' }, 200],
    ['ifGenerationMatch=other is refused', true, { ifGenerationMatch: 7 }, 412],
    ['ifGenerationNotMatch is not there', true, { ifGenerationNotMatch: 'live' }, 501],
    ['ifMetagenerationMatch is not there', true, { ifMetagenerationMatch: 1 }, 501],
    ['nonsense is refused', true, { ifGenerationMatch: 'x' }, 400],
  ])('%s', async (name, exists, conditions, expected) => {
    for (const resumable of [false, true]) {
      const file = gcs.bucket.file(`conditions/${name}/${resumable}`);
      if (exists) await file.save('old', SIMPLE);
      const { generation } = file.metadata;
      const preconditionOpts = Object.fromEntries(
        Object.entries(conditions).map(([key, value]) => [key, value === 'live' ? generation : value]),
      );
      expect(await statusOf(file.save('new', { resumable, preconditionOpts }))).toBe(expected);
    }
  });

  test('of many that may create only one does', async () => {
    const saves = Array.from({ length: 10 }, (_, at) =>
      statusOf(
        gcs.bucket.file('one').save(`${at}`, { ...SIMPLE, preconditionOpts: { ifGenerationMatch: 0 } }),
      ),
    );
    expect((await Promise.all(saves)).map(String).toSorted()).toEqual(['200', ...Array(9).fill('412')]);
  });

  test('holds for a delete', async () => {
    const file = gcs.bucket.file('deleted');
    await file.save('x', SIMPLE);
    const { generation = 0 } = file.metadata;
    expect(await statusOf(file.delete({ ifGenerationMatch: 9 }))).toBe(412);
    expect(await statusOf(file.delete({ ifGenerationMatch: generation }))).toBe(200);
    expect(await statusOf(file.delete())).toBe(404);
  });
});

const NAMES = [
  '../../../../etc/passwd',
  '/absolute',
  'a/../b',
  'a//b/',
  'prüfung ✓ 😀/ﬀ',
  'q?x=1&y#z%2F%00+ ',
  '\u0000\u0001\t',
  "'; DROP TABLE x; --",
  'x'.repeat(1_024),
  '__proto__',
];
test.each(NAMES)('keeps the object named %j, and nothing outside its directory', async (name) => {
  const before = readdirSync(join(gcs.dataDir, '..')).length;
  const file = gcs.bucket.file(name);
  await file.save(name);
  expect((await file.getMetadata())[0].name).toBe(name);
  expect((await file.download())[0].toString()).toBe(name);
  expect((await gcs.bucket.getFiles({ prefix: name }))[0].map((one: File) => one.name)).toContain(name);
  expect(readdirSync(join(gcs.dataDir, '..')).length).toBeLessThanOrEqual(before + 5);
  expect(readdirSync(join(gcs.dataDir, 'buckets')).toSorted()).toEqual(['backups']);
  expect(existsSync(join(gcs.dataDir, 'buckets/backups/objects', name.slice(0, 200)))).toBe(false);
  await file.delete();
});

test.each(['x'.repeat(1_025), 'line\nfeed', '.', '..'])('refuses the name %j', async (name) => {
  const url = `${gcs.server.url}/upload/storage/v1/b/backups/o?uploadType=resumable&name=${encodeURIComponent(name)}`;
  expect((await fetch(url, { method: 'POST' })).status).toBe(400);
});

describe('listing', () => {
  const names = ['l/a', 'l/b/1', 'l/b/2', 'l/c', 'l/d/', 'l/d/1', 'l/e', 'l/\ue000', 'l/😀'];
  beforeAll(() => Promise.all(names.map((name) => gcs.bucket.file(name).save('', SIMPLE))));

  test('is in the order of the UTF-8 bytes and pages by itself', async () => {
    const [all] = await gcs.bucket.getFiles({ prefix: 'l/', maxResults: 100 });
    expect(all.map(({ name }) => name)).toEqual(names);
  });

  test.each([1, 2, 3])('gives each name once, in pages of %i', async (maxResults) => {
    const seen: string[] = [];
    let query: object | null = { prefix: 'l/', maxResults, autoPaginate: false };
    while (query) {
      const [files, next]: [File[], object | null, unknown] = await gcs.bucket.getFiles(query);
      expect(files.length).toBeLessThanOrEqual(maxResults);
      seen.push(...files.map(({ name }) => name));
      query = next;
    }
    expect(seen).toEqual(names);
  });
});

test('creates a bucket once, and only with a name that is one', async () => {
  const storage = gcs.bucket.storage;
  expect(await storage.bucket('second').exists()).toEqual([false]);
  await storage.createBucket('second');
  expect(await statusOf(storage.createBucket('second'))).toBe(409);
  expect(await statusOf(storage.createBucket('../second'))).toBe(400);
  expect(await storage.bucket('second').exists()).toEqual([true]);
});

test('has after a restart what it had before, and goes on counting generations', async () => {
  const file = gcs.bucket.file('kept');
  await file.save('old', SIMPLE);
  const { generation = 0 } = file.metadata;
  await gcs.restart({ clock: () => new Date('2020-01-01') });
  expect((await file.download())[0].toString()).toBe('old');
  await file.save('new', SIMPLE);
  expect(BigInt(file.metadata.generation ?? 0)).toBeGreaterThan(BigInt(generation));
  await gcs.restart();
});
