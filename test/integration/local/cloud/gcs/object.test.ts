import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { File } from '@google-cloud/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, checksumsOf, type RunningGcs, runGcs, statusOf } from './running-server.ts';

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
    ['ifGenerationNotMatch=live is refused', true, { ifGenerationNotMatch: 'live' }, 412],
    ['ifGenerationNotMatch=0 needs an object', false, { ifGenerationNotMatch: 0 }, 412],
    ['ifMetagenerationMatch=1 overwrites', true, { ifMetagenerationMatch: 1 }, 200],
    ['ifMetagenerationMatch=2 is refused', true, { ifMetagenerationMatch: 2 }, 412],
    ['ifMetagenerationNotMatch=1 is refused', true, { ifMetagenerationNotMatch: 1 }, 412],
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

  test('holds for a patch and a delete', async () => {
    const file = gcs.bucket.file('patched');
    await file.save('x', SIMPLE);
    const { generation = 0 } = file.metadata;
    expect(await statusOf(file.setMetadata({ metadata: { a: '1' } }, { ifMetagenerationMatch: 9 }))).toBe(
      412,
    );
    expect(await statusOf(file.delete({ ifGenerationMatch: 9 }))).toBe(412);
    expect(await statusOf(file.delete({ ifGenerationMatch: generation }))).toBe(200);
    expect(await statusOf(file.delete())).toBe(404);
  });
});

test('changes metadata key by key and counts metagenerations', async () => {
  const file = gcs.bucket.file('metadata');
  await file.save('x', { ...SIMPLE, metadata: { metadata: { keep: '1', drop: '2' } } });
  const { generation, timeCreated } = file.metadata;
  await file.setMetadata({ contentType: 'text/plain', metadata: { drop: null, add: '3' } });
  const [metadata] = await file.getMetadata();
  expect(metadata).toMatchObject({ generation, timeCreated, metageneration: '2', contentType: 'text/plain' });
  expect(metadata.metadata).toEqual({ keep: '1', add: '3' });
  const long = { metadata: { long: 'x'.repeat(9_000) } };
  expect(await statusOf(file.setMetadata(long))).toBe(400);
  expect((await file.getMetadata())[0].metageneration).toBe('2');
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
  const url = `${gcs.server.url}/upload/storage/v1/b/backups/o?uploadType=media&name=${encodeURIComponent(name)}`;
  expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(400);
});

describe('listing', () => {
  const names = ['l/a', 'l/b/1', 'l/b/2', 'l/c', 'l/d/', 'l/d/1', 'l/e', 'l/\ue000', 'l/😀'];
  beforeAll(() => Promise.all(names.map((name) => gcs.bucket.file(name).save('', SIMPLE))));

  test('is in the order of the UTF-8 bytes and pages by itself', async () => {
    const [all] = await gcs.bucket.getFiles({ prefix: 'l/' });
    expect(all.map(({ name }) => name)).toEqual(names);
  });

  test.each([1, 2, 3, 4, 100])('gives each name and prefix once, in pages of %i', async (maxResults) => {
    const seen: string[] = [];
    let query: object | null = { prefix: 'l/', delimiter: '/', maxResults, autoPaginate: false };
    while (query) {
      const [files, next, answer]: [File[], object | null, unknown] = await gcs.bucket.getFiles(query);
      const { prefixes = [] } = answer as { prefixes?: string[] };
      expect(files.length + prefixes.length).toBeLessThanOrEqual(maxResults);
      seen.push(...files.map(({ name }) => name), ...prefixes);
      query = next;
    }
    expect(seen.toSorted()).toEqual(['l/a', 'l/b/', 'l/c', 'l/d/', 'l/e', 'l/\ue000', 'l/😀'].toSorted());
    expect(seen).toHaveLength(7);
  });

  test('takes offsets', async () => {
    const [files] = await gcs.bucket.getFiles({ prefix: 'l/', startOffset: 'l/b/2', endOffset: 'l/d/1' });
    expect(files.map(({ name }) => name)).toEqual(['l/b/2', 'l/c', 'l/d/']);
  });
});

test('copies with the metadata, the content shared but lived apart', async () => {
  const bytes = bytesOf(1_000);
  const file = gcs.bucket.file('copy/from');
  await file.save(bytes, { ...SIMPLE, metadata: { contentType: 'a/b', metadata: { host: 'vm1' } } });
  await file.copy(gcs.bucket.file('copy/to ü'), { preconditionOpts: { ifGenerationMatch: 0 } });
  await file.delete();
  const copy = gcs.bucket.file('copy/to ü');
  expect((await copy.getMetadata())[0]).toMatchObject({
    ...checksumsOf(bytes),
    contentType: 'a/b',
    metadata: { host: 'vm1' },
  });
  expect((await copy.download())[0].equals(bytes)).toBe(true);
  await copy.copy(copy);
  expect((await copy.download())[0].equals(bytes)).toBe(true);
});

test('composes objects into one with a true crc32c and no md5', async () => {
  const bytes = bytesOf(900_000);
  const parts = [bytes.subarray(0, 300_000), bytes.subarray(300_000, 300_001), bytes.subarray(300_001)];
  const files = parts.map((_, at) => gcs.bucket.file(`part/${at}`));
  await Promise.all(files.map((file, at) => file.save(parts[at] ?? '', SIMPLE)));
  await gcs.bucket.combine(files, gcs.bucket.file('whole'));
  const [metadata] = await gcs.bucket.file('whole').getMetadata();
  expect(metadata).toMatchObject({ crc32c: checksumsOf(bytes).crc32c, componentCount: 3, size: '900000' });
  expect(metadata.md5Hash).toBeUndefined();
  expect((await gcs.bucket.file('whole').download())[0].equals(bytes)).toBe(true);
});

test('creates, lists, changes and deletes buckets', async () => {
  const storage = gcs.bucket.storage;
  const lifecycle = { rule: [{ action: { type: 'Delete' as const }, condition: { age: 30 } }] };
  const [bucket] = await storage.createBucket('second', { lifecycle });
  expect(await statusOf(storage.createBucket('second'))).toBe(409);
  expect(await statusOf(storage.createBucket('../second'))).toBe(400);
  expect(await statusOf(storage.createBucket('versioned', { versioning: { enabled: true } }))).toBe(501);
  expect((await storage.getBuckets())[0].map(({ name }) => name)).toEqual(['backups', 'second']);
  await bucket.setLabels({ team: 'ops' });
  await gcs.restart();
  expect((await bucket.getMetadata())[0]).toMatchObject({
    lifecycle,
    labels: { team: 'ops' },
    metageneration: '2',
  });
  await bucket.file('x').save('x');
  expect(await statusOf(bucket.delete())).toBe(409);
  await bucket.file('x').delete();
  await bucket.delete();
  expect(await statusOf(bucket.getMetadata())).toBe(404);
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
