// The API's list of a bucket's objects.
import { type Exchange, parseInput, sendJson } from './http-input.ts';
import { compareUtf8, ListQuery, listPage } from './listing.ts';
import { toObjectResource } from './object-schema.ts';
import { getObject } from './object-store.ts';
import type { Storage } from './storage.ts';

export function listObjects(exchange: Exchange, storage: Storage, bucketName: string): void {
  const bucket = storage.buckets.get(bucketName);
  // Sorted again only after a name came or went.
  bucket.order ??= [...bucket.objects.keys()].toSorted(compareUtf8);
  const { names, prefixes, nextPageToken } = listPage(bucket.order, parseInput(ListQuery, exchange.query));
  const items = names.map((name) =>
    toObjectResource(getObject(bucket, name), bucket.record, exchange.baseUrl),
  );
  sendJson(exchange.response, 200, {
    kind: 'storage#objects',
    items,
    ...(prefixes.length > 0 ? { prefixes } : {}),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  });
}
