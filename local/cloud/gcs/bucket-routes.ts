// What the API does with buckets: cloud.google.com/storage/docs/json_api/v1/buckets
import { assertBucketName, BucketInput, toBucketResource } from './bucket-schema.ts';
import { type Exchange, readJsonBody, sendJson } from './http-input.ts';
import type { Storage } from './storage.ts';

export async function createBucket(exchange: Exchange, storage: Storage): Promise<void> {
  const { name, retentionPolicy } = await readJsonBody(exchange.request, BucketInput);
  assertBucketName(name);
  const now = storage.clock().toISOString();
  const { record } = await storage.buckets.create({
    name,
    timeCreated: now,
    ...(retentionPolicy ? { retentionPolicy: { ...retentionPolicy, effectiveTime: now } } : {}),
  });
  sendJson(exchange.response, 200, toBucketResource(record, exchange.baseUrl));
}

export function showBucket(exchange: Exchange, storage: Storage, name: string): void {
  const { record } = storage.buckets.get(name);
  sendJson(exchange.response, 200, toBucketResource(record, exchange.baseUrl));
}
