// What the API does with buckets: cloud.google.com/storage/docs/json_api/v1/buckets
import {
  assertBucketName,
  assertSupported,
  BucketInput,
  type BucketRecord,
  toBucketResource,
} from './bucket-schema.ts';
import { invalid } from './fault.ts';
import { type Exchange, parseInput, readJsonBody, sendEmpty, sendJson } from './http-input.ts';
import { MAX_PAGE_RESULTS } from './limits.ts';
import { assertPreconditions, Preconditions } from './precondition.ts';
import type { Storage } from './storage.ts';

/** Metageneration conditions hold for buckets too; a bucket has no generation. */
function assertBucketConditions(exchange: Exchange, record: BucketRecord, intent: 'read' | 'write'): void {
  const conditions = parseInput(Preconditions, exchange.query);
  assertPreconditions(conditions, { generation: '0', metageneration: record.metageneration }, intent);
}

export async function createBucket(exchange: Exchange, storage: Storage): Promise<void> {
  const input = await readJsonBody(exchange.request, BucketInput);
  const name = input.name ?? '';
  assertBucketName(name);
  assertSupported(input);
  const now = storage.clock().toISOString();
  const { record } = await storage.buckets.create({
    location: 'US',
    storageClass: 'STANDARD',
    ...applyInput({ defaultEventBasedHold: false }, input, now),
    name,
    metageneration: '1',
    timeCreated: now,
    updated: now,
  });
  sendJson(exchange.response, 200, toBucketResource(record, exchange.baseUrl));
}

type Base = Partial<BucketRecord> & { defaultEventBasedHold: boolean };

/** What a client wrote over what was there; null removes, and a locked policy can only grow. */
function applyInput<T extends Base>(base: T, input: BucketInput, now: string): T {
  const { retentionPolicy, versioning: _versioning, name: _name, ...rest } = input;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const changed: T = { ...base, ...given };
  if (retentionPolicy === undefined) return changed;
  if (retentionPolicy === null) {
    delete changed.retentionPolicy;
    return changed;
  }
  return { ...changed, retentionPolicy: { ...retentionPolicy, effectiveTime: now, isLocked: false } };
}

export function showBucket(exchange: Exchange, storage: Storage, name: string): void {
  const { record } = storage.buckets.get(name);
  assertBucketConditions(exchange, record, 'read');
  sendJson(exchange.response, 200, toBucketResource(record, exchange.baseUrl));
}

export function listBuckets(exchange: Exchange, storage: Storage): void {
  const { prefix = '', pageToken = '', maxResults } = exchange.query;
  const limit = Math.min(Number(maxResults ?? MAX_PAGE_RESULTS), MAX_PAGE_RESULTS);
  if (!Number.isInteger(limit) || limit < 1) throw invalid(`Invalid value for maxResults: ${maxResults}`);
  const found = storage.buckets
    .list()
    .filter(({ record }) => record.name.startsWith(prefix) && record.name > pageToken);
  const page = found.slice(0, limit);
  const last = page.at(-1);
  sendJson(exchange.response, 200, {
    kind: 'storage#buckets',
    items: page.map(({ record }) => toBucketResource(record, exchange.baseUrl)),
    ...(found.length > limit && last ? { nextPageToken: last.record.name } : {}),
  });
}

export async function patchBucket(exchange: Exchange, storage: Storage, name: string): Promise<void> {
  const bucket = storage.buckets.get(name);
  assertBucketConditions(exchange, bucket.record, 'write');
  const input = await readJsonBody(exchange.request, BucketInput);
  assertSupported(input);
  const now = storage.clock().toISOString();
  const metageneration = String(BigInt(bucket.record.metageneration) + 1n);
  await storage.buckets.save(bucket, {
    ...applyInput(bucket.record, input, now),
    metageneration,
    updated: now,
  });
  sendJson(exchange.response, 200, toBucketResource(bucket.record, exchange.baseUrl));
}

export async function deleteBucket(exchange: Exchange, storage: Storage, name: string): Promise<void> {
  const bucket = storage.buckets.get(name);
  assertBucketConditions(exchange, bucket.record, 'write');
  await storage.buckets.remove(bucket);
  sendEmpty(exchange.response, 204);
}
