import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytesOf, checksumsOf, type RunningGcs, runGcs } from './running-server.ts';

const BYTES = bytesOf(100_000);

let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs();
  await gcs.bucket.file('hundred').save(BYTES, { resumable: false });
  await gcs.bucket.file('empty').save('', { resumable: false });
});
afterAll(() => gcs.close());

function get(path: string): Promise<Response> {
  return fetch(`${gcs.server.url}${path}`);
}

test.each(['hundred', 'empty'])('serves the object %s with its checksums', async (name) => {
  const answer = await get(`/storage/v1/b/backups/o/${name}?alt=media`);
  const bytes = name === 'empty' ? Buffer.alloc(0) : BYTES;
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  const { crc32c, md5Hash } = checksumsOf(bytes);
  expect(answer.headers.get('x-goog-hash')).toBe(`crc32c=${crc32c},md5=${md5Hash}`);
  const [{ generation }] = await gcs.bucket.file(name).getMetadata();
  expect(answer.headers.get('x-goog-generation')).toBe(String(generation));
});

test('finds no other generation than the live one', async () => {
  const read = gcs.bucket.file('hundred', { generation: 1 }).download();
  await expect(read).rejects.toMatchObject({ code: 404, message: 'No such object: backups/hundred' });
});

test('goes on with a download while its object is replaced and deleted', async () => {
  const bytes = bytesOf(8 * 1_024 * 1_024);
  const file = gcs.bucket.file('moving');
  await file.save(bytes, { resumable: false });
  const answer = await get('/storage/v1/b/backups/o/moving?alt=media');
  await file.save('other');
  await file.delete();
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
});
