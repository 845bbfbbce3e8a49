// What the API does with an object's metadata: cloud.google.com/storage/docs/json_api/v1/objects
import type { Bucket } from './bucket-store.ts';
import { type Exchange, parseInput, readJsonBody, sendEmpty, sendJson } from './http-input.ts';
import {
  type ObjectPatch,
  ObjectPatch as ObjectPatchSchema,
  type ObjectRecord,
  toObjectResource,
} from './object-schema.ts';
import { getObject } from './object-store.ts';
import { assertPreconditions, Preconditions } from './precondition.ts';
import type { Storage } from './storage.ts';

/** The version a request is about, its conditions checked. */
export function findVersion(
  exchange: Exchange,
  bucket: Bucket,
  name: string,
  intent: 'read' | 'write',
): ObjectRecord {
  const record = getObject(bucket, name, exchange.query['generation']);
  assertPreconditions(parseInput(Preconditions, exchange.query), record, intent);
  return record;
}

export function showObject(exchange: Exchange, storage: Storage, bucketName: string, name: string): void {
  const bucket = storage.buckets.get(bucketName);
  const record = findVersion(exchange, bucket, name, 'read');
  sendJson(exchange.response, 200, toObjectResource(record, bucket.record, exchange.baseUrl));
}

/** PATCH changes what it names; PUT (update) is taken as the same here. */
export async function patchObject(
  exchange: Exchange,
  storage: Storage,
  bucketName: string,
  name: string,
): Promise<void> {
  const bucket = storage.buckets.get(bucketName);
  const patch = await readJsonBody(exchange.request, ObjectPatchSchema);
  const record = await storage.objects.revise(bucket, name, (live, now) => {
    findVersion(exchange, bucket, name, 'write');
    return applyPatch(live, patch, now);
  });
  sendJson(exchange.response, 200, toObjectResource(record, bucket.record, exchange.baseUrl));
}

function applyPatch(live: ObjectRecord, { metadata, ...patch }: ObjectPatch, now: string): ObjectRecord {
  const isReleased = live.eventBasedHold === true && patch.eventBasedHold === false;
  const fields = withoutNulls({ ...live, ...patch, ...(isReleased ? { retentionStart: now } : {}) });
  if (metadata === undefined) return fields;
  const merged = metadata === null ? undefined : withoutNulls({ ...live.metadata, ...metadata });
  const { metadata: _old, ...rest } = fields;
  return merged && Object.keys(merged).length > 0 ? { ...rest, metadata: merged } : rest;
}

function withoutNulls<T extends object>(record: { [K in keyof T]: T[K] | null }): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null)) as T;
}

export async function deleteObject(
  exchange: Exchange,
  storage: Storage,
  bucketName: string,
  name: string,
): Promise<void> {
  const bucket = storage.buckets.get(bucketName);
  await storage.objects.remove(bucket, name, () => findVersion(exchange, bucket, name, 'write'));
  sendEmpty(exchange.response, 204);
}
