import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesOf, checksumsOf, clientOf, type RunningGcs, runGcs, spawnGcs } from './running-server.ts';

const KIB = 1_024;
const MIB = 1_024 * KIB;

let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs();
});
afterAll(() => gcs.close());

async function open(name: string, query = ''): Promise<string> {
  const [uri] = await gcs.bucket.file(name).createResumableUpload(query ? JSON.parse(query) : {});
  return uri;
}

async function put(uri: string, range: string | undefined, body = bytesOf(0)): Promise<Response> {
  const headers: Record<string, string> = range === undefined ? {} : { 'content-range': range };
  return fetch(uri, { method: 'PUT', headers, body, redirect: 'manual' });
}

/** The status and the Range header of an answer. */
async function progress(answer: Promise<Response>): Promise<[number, string | null]> {
  const { status, headers } = await answer;
  return [status, headers.get('range')];
}

test('tells how far an upload is, takes the rest, and answers the same again when asked again', async () => {
  const bytes = bytesOf(600 * KIB);
  const uri = await open('steps');
  expect(await progress(put(uri, 'bytes */*'))).toEqual([308, null]);
  expect(await progress(put(uri, 'bytes 0-262143/*', bytes.subarray(0, 262_144)))).toEqual([
    308,
    'bytes=0-262143',
  ]);
  expect(await progress(put(uri, 'bytes */*'))).toEqual([308, 'bytes=0-262143']);
  expect(await gcs.bucket.file('steps').exists()).toEqual([false]);
  const last = await put(uri, `bytes 262144-${bytes.length - 1}/${bytes.length}`, bytes.subarray(262_144));
  const object = await last.json();
  expect(object).toMatchObject({ ...checksumsOf(bytes), size: String(bytes.length) });
  const again = await put(uri, 'bytes */*');
  expect([again.status, await again.json()]).toEqual([200, object]);
});

test.each([
  ['an unchunked rest is final', 'bytes 0-*/*', 300_000, [200, null]],
  ['a last chunk may have any size', 'bytes 0-99/100', 100, [200, null]],
  ['a chunk under 256 KiB is refused', 'bytes 0-99/*', 100, [400, null]],
  ['of an odd chunk the whole 256 KiB are kept', 'bytes 0-299999/*', 300_000, [308, 'bytes=0-262143']],
  [
    'a chunk of an object whose size is known is not final',
    'bytes 0-262143/300000',
    262_144,
    [308, 'bytes=0-262143'],
  ],
  ['a gap is refused', 'bytes 262144-524287/*', 262_144, [400, null]],
  ['more bytes than announced are refused', 'bytes 0-99/100', 101, [400, null]],
  ['nonsense is refused', 'bytes 9-3/x', 10, [400, null]],
  ['nothing at all makes an empty object', 'bytes */0', 0, [200, null]],
] as const)('%s', async (name, range, size, expected) => {
  const uri = await open(`rules/${name}`);
  expect(await progress(put(uri, range, bytesOf(size)))).toEqual(expected);
});

test('skips bytes that it has already', async () => {
  const bytes = bytesOf(768 * KIB);
  const uri = await open('overlap');
  await put(uri, 'bytes 0-524287/*', bytes.subarray(0, 524_288));
  const answer = await put(uri, `bytes 262144-${bytes.length - 1}/${bytes.length}`, bytes.subarray(262_144));
  expect(await answer.json()).toMatchObject(checksumsOf(bytes));
});

test('decides a precondition when the upload ends, too', async () => {
  const uri = await open('race', '{"preconditionOpts":{"ifGenerationMatch":0}}');
  await gcs.bucket.file('race').save('first', { resumable: false });
  expect((await put(uri, 'bytes 0-*/*', bytesOf(10))).status).toBe(412);
  expect((await gcs.bucket.file('race').download())[0].toString()).toBe('first');
});

/** The file in which the server of that directory keeps the bytes of an unfinished upload. */
function dataOf(dataDir: string, uri: string): string {
  return join(dataDir, 'uploads', `${new URL(uri).searchParams.get('upload_id')}.data`);
}

/** Sends these bytes of a larger body, and breaks the connection once all whole chunks of them were taken. */
async function sendAndBreak(uri: string, bytes: Buffer, range: string, total: number): Promise<void> {
  const upload = request(uri, {
    method: 'PUT',
    headers: { 'content-range': range, 'content-length': total },
  });
  upload.on('error', () => undefined);
  await new Promise((resolve) => upload.write(bytes, resolve));
  const whole = bytes.length - (bytes.length % (256 * KIB));
  await expect.poll(() => statSync(dataOf(gcs.dataDir, uri)).size).toBeGreaterThanOrEqual(whole);
  upload.destroy();
  await new Promise((resolve) => upload.once('close', resolve));
}

test('keeps what came of a broken connection, over a restart, and ends with true checksums', async () => {
  const bytes = bytesOf(2 * MIB + 5);
  const uri = await open('broken');
  await sendAndBreak(uri, bytes.subarray(0, 1_000_000), 'bytes 0-*/*', bytes.length);
  expect(await progress(put(uri, 'bytes */*'))).toEqual([308, 'bytes=0-786431']);
  await gcs.restart();
  expect(await progress(put(uri, 'bytes */*'))).toEqual([308, 'bytes=0-786431']);
  const rest = await put(uri, `bytes 786432-*/${bytes.length}`, bytes.subarray(786_432));
  expect(await rest.json()).toMatchObject(checksumsOf(bytes));
  const [content] = await gcs.bucket.file('broken').download();
  expect(content.equals(bytes)).toBe(true);
});

test('goes on after the server was killed in the middle of an upload', async () => {
  const dataDir = join(gcs.dataDir, 'killed');
  const first = await spawnGcs(dataDir);
  const bucket = clientOf(first.url).bucket('killed');
  await bucket.create();
  const bytes = bytesOf(1 * MIB);
  const [uri] = await bucket.file('dump').createResumableUpload();
  await put(uri, 'bytes 0-524287/*', bytes.subarray(0, 524_288));
  const broken = request(uri, { method: 'PUT', headers: { 'content-range': 'bytes 524288-*/*' } });
  broken.on('error', () => undefined);
  broken.write(bytes.subarray(524_288, 900_000));
  await expect.poll(() => statSync(dataOf(dataDir, uri)).size).toBeGreaterThan(524_288);
  await first.kill();
  const second = await spawnGcs(dataDir);
  const after = uri.replace(first.url, second.url);
  const restarted = clientOf(second.url).bucket('killed');
  expect(await progress(put(after, 'bytes */*'))).toEqual([308, 'bytes=0-524287']);
  expect((await restarted.getFiles())[0]).toEqual([]);
  // It ends sooner than the bytes that the kill left without being promised.
  const short = bytes.subarray(0, 600_000);
  const answer = await put(after, 'bytes 524288-*/600000', short.subarray(524_288));
  expect(await answer.json()).toMatchObject(checksumsOf(short));
  expect((await restarted.file('dump').download())[0].equals(short)).toBe(true);
  await second.kill();
});

test('knows after a kill between the object and its session that the upload is done', async () => {
  const bytes = bytesOf(300_000);
  const uri = await open('done', '{"preconditionOpts":{"ifGenerationMatch":0}}');
  const object = await (await put(uri, 'bytes 0-*/*', bytes)).json();
  const path = join(gcs.dataDir, 'uploads', `${new URL(uri).searchParams.get('upload_id')}.json`);
  const { done: _done, ...asBefore } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify(asBefore));
  await gcs.restart();
  const again = await put(uri, 'bytes */*');
  expect([again.status, await again.json()]).toEqual([200, object]);
});

test('leaves no bytes behind but those of live objects', async () => {
  await gcs.bucket.file('kept').save('x', { resumable: true });
  const file = gcs.bucket.file('replaced');
  await file.save('one');
  await file.save('two', { resumable: false });
  await file.delete();
  const names = (await gcs.bucket.getFiles())[0].length;
  const directory = join(gcs.dataDir, 'buckets/backups/content');
  expect(readdirSync(directory)).toHaveLength(names);
  for (const content of readdirSync(directory)) expect(statSync(join(directory, content)).nlink).toBe(1);
  expect(readdirSync(join(gcs.dataDir, 'staging'))).toEqual([]);
});
