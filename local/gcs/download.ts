// Content on its way out: whole or a range, streamed from the disk.
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type ByteRange, parseRange } from './byte-range.ts';
import type { Exchange } from './http-input.ts';
import { findVersion } from './object-routes.ts';
import { etagOfObject, type ObjectRecord } from './object-schema.ts';
import { openContent } from './object-store.ts';
import type { Storage } from './storage.ts';

function headersOf(record: ObjectRecord, range: ByteRange | undefined): Record<string, string | number> {
  const { sizeBytes, crc32c, md5Hash, contentEncoding, contentDisposition, contentLanguage, cacheControl } =
    record;
  return {
    'content-type': record.contentType ?? 'application/octet-stream',
    'content-length': range ? range.end - range.start + 1 : sizeBytes,
    'accept-ranges': 'bytes',
    etag: `"${etagOfObject(record)}"`,
    'last-modified': new Date(record.updated).toUTCString(),
    'x-goog-hash': [`crc32c=${crc32c}`, ...(md5Hash === undefined ? [] : [`md5=${md5Hash}`])].join(','),
    'x-goog-generation': record.generation,
    'x-goog-metageneration': record.metageneration,
    'x-goog-stored-content-length': sizeBytes,
    'x-goog-stored-content-encoding': contentEncoding ?? 'identity',
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}` } : {}),
    ...(contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }),
    ...(contentDisposition === undefined ? {} : { 'content-disposition': contentDisposition }),
    ...(contentLanguage === undefined ? {} : { 'content-language': contentLanguage }),
    ...(cacheControl === undefined ? {} : { 'cache-control': cacheControl }),
  };
}

export async function downloadObject(
  exchange: Exchange,
  storage: Storage,
  bucketName: string,
  name: string,
): Promise<void> {
  const { request, response } = exchange;
  const bucket = storage.buckets.get(bucketName);
  const record = findVersion(exchange, bucket, name, 'read');
  const range = parseRange(request.headers.range, record.sizeBytes);
  const file = await openContent(bucket, record);
  try {
    response.writeHead(range ? 206 : 200, headersOf(record, range));
    if (request.method === 'HEAD' || record.sizeBytes === 0) response.end();
    else await send(file, range, response);
  } finally {
    await file.close();
  }
}

async function send(
  file: FileHandle,
  range: ByteRange | undefined,
  response: Exchange['response'],
): Promise<void> {
  const stream = file.createReadStream({ autoClose: false, ...range });
  // A client that goes away ends the stream; that is its right.
  await pipeline(stream, response).catch(() => response.destroy());
}
