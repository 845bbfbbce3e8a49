// What the API does with objects that are there: cloud.google.com/storage/docs/json_api/v1/objects
import { pipeline } from 'node:stream/promises';
import { type Exchange, parseInput, sendEmpty, sendJson } from './http-input.ts';
import { ListQuery, listPage } from './listing.ts';
import { type ObjectRecord, Precondition, toObjectResource } from './object-schema.ts';
import { assertPrecondition, getObject, openContent } from './object-store.ts';

export function listObjects(exchange: Exchange, bucketName: string): void {
  const bucket = exchange.storage.buckets.get(bucketName);
  const { names, nextPageToken } = listPage(bucket.objects.keys(), parseInput(ListQuery, exchange.query));
  sendJson(exchange.response, 200, {
    kind: 'storage#objects',
    items: names.map((name) => toObjectResource(getObject(bucket, name), bucket.record, exchange.baseUrl)),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  });
}

export function showObject(exchange: Exchange, bucketName: string, name: string): void {
  const bucket = exchange.storage.buckets.get(bucketName);
  const record = getObject(bucket, name, exchange.query['generation']);
  sendJson(exchange.response, 200, toObjectResource(record, bucket.record, exchange.baseUrl));
}

export async function deleteObject(exchange: Exchange, bucketName: string, name: string): Promise<void> {
  const { ifGenerationMatch } = parseInput(Precondition, exchange.query);
  await exchange.storage.objects.remove(exchange.storage.buckets.get(bucketName), name, (live) =>
    assertPrecondition(ifGenerationMatch, live),
  );
  sendEmpty(exchange.response, 204);
}

/** The client checks the content by `x-goog-hash` when the stored encoding says that the stored bytes are sent unchanged. */
function headersOf(record: ObjectRecord): Record<string, string | number> {
  return {
    'content-type': record.contentType ?? 'application/octet-stream',
    'content-length': record.sizeBytes,
    'x-goog-hash': `crc32c=${record.crc32c},md5=${record.md5Hash}`,
    'x-goog-generation': record.generation,
    'x-goog-stored-content-length': record.sizeBytes,
    'x-goog-stored-content-encoding': 'identity',
  };
}

export async function downloadObject(exchange: Exchange, bucketName: string, name: string): Promise<void> {
  const { response } = exchange;
  const bucket = exchange.storage.buckets.get(bucketName);
  const record = getObject(bucket, name, exchange.query['generation']);
  const file = await openContent(bucket, record);
  try {
    response.writeHead(200, headersOf(record));
    // A client may end the stream before its end.
    await pipeline(file.createReadStream({ autoClose: false }), response).catch(() => response.destroy());
  } finally {
    await file.close();
  }
}
