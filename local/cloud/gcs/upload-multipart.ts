// Uploads in one request: a multipart/related body (RFC 2387) as Google's Node client writes it, the metadata part, then the
// media part. Google advises it for small objects; larger ones are resumable.
// cloud.google.com/storage/docs/uploading-objects#uploading-an-object
import { rm } from 'node:fs/promises';
import { createDurableFile } from '#shared/kit/durable-file.ts';
import { createChecksummer } from './checksum.ts';
import { invalid } from './fault.ts';
import { type Exchange, parseInput, parseJson, readBody, sendJson } from './http-input.ts';
import { MAX_MULTIPART_BYTES } from './limits.ts';
import {
  assertObjectName,
  ObjectFields,
  ObjectInput,
  Precondition,
  toObjectResource,
} from './object-schema.ts';

const HEADERS_END = Buffer.from('\r\n\r\n');

export interface MultipartUpload {
  metadata: Buffer;
  mediaType: string | undefined;
  media: Buffer;
}

/** Throws 400 when there is no boundary. */
export function boundaryOf(contentType: string | undefined): string {
  const match = /^multipart\/[^;]+;.*boundary=(?:"([^"]{1,200})"|([^\s;,]{1,200}))/i.exec(contentType ?? '');
  const boundary = match?.[1] ?? match?.[2];
  if (!boundary)
    throw invalid('A multipart upload needs a Content-Type of multipart/related with a boundary.');
  return boundary;
}

/** Throws 400 when the body does not end with the closing boundary: then the upload was cut. */
export function readMultipart(body: Buffer, boundary: string): MultipartUpload {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first boundary has no line before it.
  const first = cut(Buffer.concat([Buffer.from('\r\n'), body]), delimiter);
  const metadata = cut(first.after, delimiter);
  const media = cut(metadata.after, delimiter);
  if (media.after.subarray(0, 2).toString() !== '--')
    throw invalid('A multipart upload has exactly two parts.');
  const { before: headers, after: content } = cut(media.before, HEADERS_END);
  return {
    metadata: cut(metadata.before, HEADERS_END).after,
    mediaType: /^content-type:[ \t]*(.+?)[ \t]*\r?$/im.exec(headers.toString('latin1'))?.[1],
    media: content,
  };
}

function cut(bytes: Buffer, delimiter: Buffer): { before: Buffer; after: Buffer } {
  const at = bytes.indexOf(delimiter);
  if (at < 0) throw invalid('The multipart upload ends before its closing boundary.');
  return { before: bytes.subarray(0, at), after: bytes.subarray(at + delimiter.length) };
}

export async function uploadMultipart(
  { request, response, query, baseUrl, storage }: Exchange,
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
    await createDurableFile(path, media);
    const checksummer = await createChecksummer();
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
