// Uploads in one request: media (the body is the content) and multipart (metadata and content).
import { open, rm } from 'node:fs/promises';
import * as z from 'zod';
import type { Bucket } from './bucket-store.ts';
import { assertChecksums, createChecksummer, parseGoogHash } from './checksum.ts';
import { createContentWriter } from './content-writer.ts';
import { bodyOf, type Exchange, parseInput, parseJson, sendJson } from './http-input.ts';
import { boundaryOf, readMultipart } from './multipart.ts';
import { assertObjectName, ObjectFields, ObjectInput, toObjectResource } from './object-schema.ts';
import type { StagedContent } from './object-store.ts';
import { Preconditions } from './precondition.ts';
import type { Storage } from './storage.ts';

/** Query parameters of an insert besides its preconditions. */
export const InsertQuery = z.object({
  name: z.string().optional(),
  contentEncoding: z.string().optional(),
});

export async function uploadMedia(exchange: Exchange, storage: Storage, bucketName: string): Promise<void> {
  const bucket = storage.buckets.get(bucketName);
  const query = parseInput(InsertQuery, exchange.query);
  const input: ObjectInput = { contentType: exchange.request.headers['content-type'] };
  if (query.contentEncoding) input.contentEncoding = query.contentEncoding;
  await insert(exchange, storage, bucket, parseInput(ObjectInput, input), bodyOf(exchange.request));
}

export async function uploadMultipart(
  exchange: Exchange,
  storage: Storage,
  bucketName: string,
): Promise<void> {
  const bucket = storage.buckets.get(bucketName);
  const boundary = boundaryOf(exchange.request.headers['content-type']);
  const upload = await readMultipart(bodyOf(exchange.request), boundary);
  const metadata = parseJson(upload.metadata, ObjectInput);
  const input = parseInput(ObjectInput, { contentType: upload.mediaType, ...metadata });
  await insert(exchange, storage, bucket, input, upload.media);
}

async function insert(
  exchange: Exchange,
  storage: Storage,
  bucket: Bucket,
  input: ObjectInput,
  body: AsyncIterable<Buffer>,
): Promise<void> {
  const name = exchange.query['name'] ?? input.name ?? '';
  assertObjectName(name);
  const conditions = parseInput(Preconditions, exchange.query);
  // Refused before the bytes are taken when that is clear already.
  storage.objects.assertWritable(bucket, name, conditions);
  const path = storage.stagingPath();
  try {
    const content = await stageContent(path, body);
    assertChecksums(content.checksums, [input, parseGoogHash(exchange.request.headers['x-goog-hash'])]);
    const fields = parseInput(ObjectFields, input);
    const record = await storage.objects.commit({ bucket, name, fields, content, conditions });
    sendJson(exchange.response, 200, toObjectResource(record, bucket.record, exchange.baseUrl));
  } finally {
    await rm(path, { force: true });
  }
}

/** Takes a whole body into a new file at `path`, durably. */
export async function stageContent(path: string, body: AsyncIterable<Buffer>): Promise<StagedContent> {
  const checksummer = createChecksummer();
  const file = await open(path, 'wx', 0o600);
  try {
    const writer = createContentWriter(file, 0, checksummer);
    for await (const chunk of body) await writer.write(chunk);
    await writer.end();
    return { path, sizeBytes: writer.writtenBytes(), checksums: checksummer.digest() };
  } finally {
    await file.close();
  }
}
