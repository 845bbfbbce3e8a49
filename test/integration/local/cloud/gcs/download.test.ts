import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { bytesOf, checksumsOf, type RunningGcs, runGcs } from './running-server.ts';

const BYTES = bytesOf(100_000);

let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs();
  await gcs.bucket.file('hundred').save(BYTES, { resumable: false });
  await gcs.bucket.file('empty').save('', { resumable: false });
});
afterAll(() => gcs.close());

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gcs.server.url}${path}`, { headers });
}

test.each([
  [{ start: 0, end: 0 }, 0, 1],
  [{ start: 10, end: 19 }, 10, 20],
  [{ start: 99_990 }, 99_990, 100_000],
  [{ start: 99_990, end: 200_000 }, 99_990, 100_000],
  [{ end: -10 }, 99_990, 100_000],
])('gives the client the range %j', async (range, from, to) => {
  const [content] = await gcs.bucket.file('hundred').download(range);
  expect(content.equals(BYTES.subarray(from, to))).toBe(true);
});

test.each([
  ['hundred', 'bytes=0-9', 206, 'bytes 0-9/100000'],
  ['hundred', 'bytes=-5', 206, 'bytes 99995-99999/100000'],
  ['hundred', 'bytes=-200000', 206, 'bytes 0-99999/100000'],
  ['hundred', 'bytes=100000-', 416, 'bytes */100000'],
  ['hundred', 'bytes=9-3', 200, null],
  ['hundred', 'lines=1-2', 200, null],
  ['empty', 'bytes=0-', 416, 'bytes */0'],
  ['empty', 'bytes=-1', 416, 'bytes */0'],
])('answers %s with Range %s by %i', async (name, range, status, contentRange) => {
  const answer = await get(`/storage/v1/b/backups/o/${name}?alt=media`, { range });
  await answer.arrayBuffer();
  expect([answer.status, answer.headers.get('content-range')]).toEqual([status, contentRange]);
});

test.each([
  '/storage/v1/b/backups/o/hundred?alt=media',
  '/b/backups/o/hundred?alt=media',
  '/download/storage/v1/b/backups/o/hundred?alt=media',
  '/backups/hundred',
])('serves content with its checksums at %s', async (path) => {
  const answer = await get(path);
  expect(Buffer.from(await answer.arrayBuffer()).equals(BYTES)).toBe(true);
  const { crc32c, md5Hash } = checksumsOf(BYTES);
  expect(answer.headers.get('x-goog-hash')).toBe(`crc32c=${crc32c},md5=${md5Hash}`);
  const [{ generation }] = await gcs.bucket.file('hundred').getMetadata();
  expect(answer.headers.get('x-goog-generation')).toBe(String(generation));
  expect(answer.headers.get('etag')).toBeTruthy();
});

test('the client, told of an emulator, reads and writes', async () => {
  const { Storage } = await import('@google-cloud/storage');
  vi.stubEnv('STORAGE_EMULATOR_HOST', gcs.server.url);
  try {
    const file = new Storage({ projectId: 'test' }).bucket('backups').file('emulated/ü');
    await file.save('content');
    await file.setMetadata({ metadata: { a: '1' } });
    expect((await file.download())[0].toString()).toBe('content');
    expect((await file.getMetadata())[0].metadata).toEqual({ a: '1' });
    await file.delete();
  } finally {
    vi.unstubAllEnvs();
  }
});

test.each([
  ['ifGenerationNotMatch', 304],
  ['ifGenerationMatch', 200],
])('%s with the live generation: %i', async (condition, status) => {
  const [{ generation }] = await gcs.bucket.file('hundred').getMetadata();
  const answer = await get(`/storage/v1/b/backups/o/hundred?alt=media&${condition}=${generation}`);
  await answer.arrayBuffer();
  expect(answer.status).toBe(status);
});

test('finds no other generation than the live one', async () => {
  const read = gcs.bucket.file('hundred', { generation: 1 }).download();
  await expect(read).rejects.toMatchObject({ code: 404, message: 'No such object: backups/hundred' });
});

test('unzips for a client that can not, and only then', async () => {
  const zipped = gzipSync('content');
  const file = gcs.bucket.file('zipped');
  await file.save(zipped, { resumable: false, metadata: { contentEncoding: 'gzip' } });
  expect((await file.download())[0].toString()).toBe('content');
  expect((await file.download({ decompress: false }))[0].equals(zipped)).toBe(true);
  const answer = await get('/backups/zipped', { 'accept-encoding': 'identity' });
  expect([answer.headers.get('content-encoding'), await answer.text()]).toEqual([null, 'content']);
});

test('carries headers that are not ASCII', async () => {
  const file = gcs.bucket.file('header');
  await file.save('x', { metadata: { contentDisposition: 'attachment; filename="prüfung ✓"' } });
  const answer = await get('/backups/header');
  const header = Buffer.from(answer.headers.get('content-disposition') ?? '', 'latin1').toString();
  expect([answer.status, header]).toEqual([200, 'attachment; filename="prüfung ✓"']);
});

test('goes on with a download while its object is replaced and deleted', async () => {
  const bytes = bytesOf(8 * 1_024 * 1_024);
  const file = gcs.bucket.file('moving');
  await file.save(bytes, { resumable: false });
  const answer = await get('/backups/moving');
  await file.save('other');
  await file.delete();
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
});
