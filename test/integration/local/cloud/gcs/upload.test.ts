import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bytesOf,
  checksumsOf,
  clientOf,
  type RunningGcs,
  runGcs,
  spawnGcs,
  startCuttingProxy,
} from './running-server.ts';

const KIB = 1_024;
const MIB = 1_024 * KIB;

let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs();
});
afterAll(() => gcs.close());

const WAYS = {
  'in one request': { resumable: false },
  resumable: { resumable: true },
  'in chunks': { resumable: true, chunkSize: 256 * KIB },
} as const;
const SIZES = [0, 1, 256 * KIB - 1, 256 * KIB, 1 * MIB + 7];
const CASES = Object.keys(WAYS).flatMap((way) =>
  SIZES.map((size) => [way as keyof typeof WAYS, size] as const),
);

test.each(CASES)('keeps what is uploaded %s: %i bytes', async (way, size) => {
  const bytes = bytesOf(size);
  const file = gcs.bucket.file(`sizes/${way}/${size}`);
  await file.save(bytes, {
    ...WAYS[way],
    contentType: 'text/plain',
    metadata: { metadata: { host: 'vm1' } },
  });
  const [metadata] = await file.getMetadata();
  expect(metadata).toMatchObject({
    ...checksumsOf(bytes),
    size: String(size),
    metageneration: '1',
    contentType: 'text/plain',
    metadata: { host: 'vm1' },
  });
  const [content] = await file.download();
  expect(content.equals(bytes)).toBe(true);
});

test('streams 160 MiB in and out without holding them', async () => {
  const server = await spawnGcs(join(gcs.dataDir, 'large'));
  const bucket = clientOf(server.url).bucket('large');
  await bucket.create();
  const file = bucket.file('dump');
  await file.save(bytesOf(1 * MIB), { resumable: true });
  const beforeBytes = server.peakMemoryBytes();
  const sent = createHash('md5');
  const received = createHash('md5');
  await pipeline(blocks(160, sent), file.createWriteStream({ validation: false }));
  for await (const chunk of file.createReadStream({ validation: false })) received.update(chunk);
  const grownBytes = server.peakMemoryBytes() - beforeBytes;
  const [{ md5Hash, size }] = await file.getMetadata();
  await server.kill();
  expect(size).toBe(String(160 * MIB));
  expect([md5Hash, received.digest('base64')]).toEqual(Array(2).fill(sent.digest('base64')));
  // Node lets some 60 MiB of used buffers pile up before it collects them, here as with 512 MiB.
  expect(grownBytes).toBeLessThan(100 * MIB);
});

function* blocks(count: number, hash: Hash): Generator<Buffer> {
  const block = bytesOf(1 * MIB);
  for (let at = 0; at < count; at += 1) {
    const numbered = Buffer.from(block);
    numbered.writeUInt32LE(at);
    hash.update(numbered);
    yield numbered;
  }
}

test.each([
  ['chunked', { chunkSize: 512 * KIB }],
  ['simple, begun again', { resumable: false }],
])('survives a connection that is cut in the middle: %s', async (name, options) => {
  const proxy = await startCuttingProxy(gcs.server.url, 700 * KIB, 1);
  const bytes = bytesOf(3 * MIB + 11);
  const file = clientOf(proxy.url).bucket('backups').file(`cut/${name}`);
  await file.save(bytes, { ...options, preconditionOpts: { ifGenerationMatch: 0 } });
  await proxy.close();
  expect(proxy.cuts).toBe(1);
  expect((await gcs.bucket.file(`cut/${name}`).getMetadata())[0]).toMatchObject(checksumsOf(bytes));
});

describe('refuses content that is not what the client says, and stores nothing', () => {
  const wrong = { crc32c: 'AAAAAA==', md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' };
  test.each([
    ['crc32c', false],
    ['md5Hash', false],
    ['crc32c', true],
    ['md5Hash', true],
  ] as const)('%s, resumable: %s', async (field, resumable) => {
    const file = gcs.bucket.file(`wrong/${field}/${resumable}`);
    const saved = file.save(Buffer.from('content'), { resumable, metadata: { [field]: wrong[field] } });
    await expect(saved).rejects.toMatchObject({ code: 400 });
    expect(await file.exists()).toEqual([false]);
  });

  test.each(['crc32c=AAAAAA==', 'md5=AAAAAAAAAAAAAAAAAAAAAA=='])('header %s', async (hash) => {
    const answer = await upload('wrong/header', 'content', { 'x-goog-hash': hash });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 400, errors: [{ reason: 'invalid' }] } });
    expect(await gcs.bucket.file('wrong/header').exists()).toEqual([false]);
  });
});

function upload(name: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const url = `${gcs.server.url}/upload/storage/v1/b/backups/o?uploadType=media&name=${encodeURIComponent(name)}`;
  return fetch(url, { method: 'POST', body, headers });
}

test('takes a multipart upload with bare line feeds and a boundary in single quotes, as Python writes it', async () => {
  const head = '--b\nContent-Type: application/json\n\n{"name":"lf"}\n--b\nContent-Type: text/x\n\n';
  const answer = await fetch(`${gcs.server.url}/upload/storage/v1/b/backups/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': "multipart/related; boundary='b'" },
    body: `${head}line\r\n--\r\n\n--b--`,
  });
  expect(await answer.json()).toMatchObject({ name: 'lf', contentType: 'text/x' });
  expect((await gcs.bucket.file('lf').download())[0].toString()).toBe('line\r\n--\r\n');
});

test('stores nothing of a multipart upload that ends too early', async () => {
  const answer = await fetch(`${gcs.server.url}/upload/storage/v1/b/backups/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary=b' },
    body: '--b\r\n\r\n{"name":"half"}\r\n--b\r\n\r\ncontent that never ends',
  });
  expect(answer.status).toBe(400);
  expect(await gcs.bucket.file('half').exists()).toEqual([false]);
});
