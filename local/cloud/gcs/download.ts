// Content on its way out: whole or a range, streamed from the disk.
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
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
    // First: Node decodes one that follows the length once more, and refuses what it then sees.
    ...(contentDisposition === undefined ? {} : { 'content-disposition': toHeader(contentDisposition) }),
    'content-type': toHeader(record.contentType ?? 'application/octet-stream'),
    'content-length': range ? range.end - range.start + 1 : sizeBytes,
    'accept-ranges': 'bytes',
    etag: `"${etagOfObject(record)}"`,
    'last-modified': new Date(record.updated).toUTCString(),
    'x-goog-hash': [`crc32c=${crc32c}`, ...(md5Hash === undefined ? [] : [`md5=${md5Hash}`])].join(','),
    'x-goog-generation': record.generation,
    'x-goog-metageneration': record.metageneration,
    'x-goog-stored-content-length': sizeBytes,
    'x-goog-stored-content-encoding': toHeader(contentEncoding ?? 'identity'),
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}` } : {}),
    ...(contentEncoding === undefined ? {} : { 'content-encoding': toHeader(contentEncoding) }),
    ...(contentLanguage === undefined ? {} : { 'content-language': toHeader(contentLanguage) }),
    ...(cacheControl === undefined ? {} : { 'cache-control': toHeader(cacheControl) }),
  };
}

/** Node writes headers as Latin-1; Google sends UTF-8. */
function toHeader(value: string): string {
  return Buffer.from(value).toString('latin1');
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
    if (isUnzipped(exchange, record)) return await sendUnzipped(exchange, file, headersOf(record, undefined));
    response.writeHead(range ? 206 : 200, headersOf(record, range));
    if (request.method === 'HEAD' || record.sizeBytes === 0) response.end();
    else await send(file, range, response);
  } finally {
    await file.close();
  }
}

/** Decompressive transcoding: cloud.google.com/storage/docs/transcoding */
function isUnzipped({ request }: Exchange, record: ObjectRecord): boolean {
  const isKept = record.contentEncoding !== 'gzip' || record.cacheControl?.includes('no-transform');
  return !isKept && !/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
}

async function sendUnzipped(
  { request, response }: Exchange,
  file: FileHandle,
  headers: Record<string, string | number>,
): Promise<void> {
  const {
    'content-length': _length,
    'content-encoding': _encoding,
    'accept-ranges': _ranges,
    ...kept
  } = headers;
  response.writeHead(200, { ...kept, vary: 'Accept-Encoding', warning: '214 UploadServer gunzipped' });
  if (request.method === 'HEAD') response.end();
  else
    await pipeline(file.createReadStream({ autoClose: false }), createGunzip(), response).catch(() =>
      response.destroy(),
    );
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
