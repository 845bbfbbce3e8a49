// Uploads in one request, metadata and content together: what Google advises for small objects. Larger ones are resumable.
import { open, rm } from 'node:fs/promises';
import { createChecksummer } from './checksum.ts';
import { type Exchange, parseInput, parseJson, readBody, sendJson } from './http-input.ts';
import { MAX_MULTIPART_BYTES } from './limits.ts';
import { boundaryOf, readMultipart } from './multipart.ts';
import {
  assertObjectName,
  ObjectFields,
  ObjectInput,
  Precondition,
  toObjectResource,
} from './object-schema.ts';
import type { Storage } from './storage.ts';

export async function uploadMultipart(
  { request, response, query, baseUrl }: Exchange,
  storage: Storage,
  bucketName: string,
): Promise<void> {
  const bucket = storage.buckets.get(bucketName);
  const boundary = boundaryOf(request.headers['content-type']);
  const { ifGenerationMatch } = parseInput(Precondition, query);
  const { metadata, mediaType, media } = readMultipart(
    await readBody(request, MAX_MULTIPART_BYTES),
    boundary,
  );
  const input = { contentType: mediaType, ...parseJson(metadata, ObjectInput) };
  const name = query['name'] ?? input.name ?? '';
  assertObjectName(name);
  const path = storage.stagingPath();
  try {
    await writeDurably(path, media);
    const checksummer = createChecksummer();
    checksummer.update(media);
    const record = await storage.objects.commit({
      bucket,
      name,
      fields: parseInput(ObjectFields, input),
      content: { path, sizeBytes: media.length, checksums: checksummer.digest() },
      ifGenerationMatch,
    });
    sendJson(response, 200, toObjectResource(record, bucket.record, baseUrl));
  } finally {
    await rm(path, { force: true });
  }
}

async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
