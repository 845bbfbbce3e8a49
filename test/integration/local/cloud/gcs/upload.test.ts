import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
  });
  const [metadata] = await file.getMetadata();
  expect(metadata).toMatchObject({
    ...checksumsOf(bytes),
    size: String(size),
    metageneration: '1',
    contentType: 'text/plain',
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

test('stores nothing of a multipart upload that ends too early', async () => {
  const answer = await fetch(`${gcs.server.url}/upload/storage/v1/b/backups/o?uploadType=multipart`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/related; boundary=b' },
    body: '--b\r\n\r\n{"name":"half"}\r\n--b\r\n\r\ncontent that never ends',
  });
  expect(answer.status).toBe(400);
  expect(await gcs.bucket.file('half').exists()).toEqual([false]);
});
