// What the API does with buckets: cloud.google.com/storage/docs/json_api/v1/buckets
import {
  assertBucketName,
  assertSupported,
  BucketInput,
  type BucketRecord,
  toBucketResource,
} from './bucket-schema.ts';
import type { Bucket } from './bucket-store.ts';
import { invalid, StorageFault } from './fault.ts';
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

/** What a client wrote over what was there; null removes. Throws 403 when a locked policy would keep for less long. */
function applyInput<T extends Base>(base: T, input: BucketInput, now: string): T {
  const { retentionPolicy, versioning: _versioning, name: _name, ...rest } = input;
  const isLocked = base.retentionPolicy?.isLocked ?? false;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const changed: T = { ...base, ...given };
  if (retentionPolicy === undefined) return changed;
  // cloud.google.com/storage/docs/bucket-lock#policy-locks
  if (isLocked && (retentionPolicy?.retentionPeriod ?? 0) < (base.retentionPolicy?.retentionPeriod ?? 0))
    throw new StorageFault(403, 'Cannot reduce or remove the period of a locked Retention Policy.');
  if (retentionPolicy === null) {
    delete changed.retentionPolicy;
    return changed;
  }
  return { ...changed, retentionPolicy: { ...retentionPolicy, effectiveTime: now, isLocked } };
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
  await revise(exchange, storage, bucket, (record, now) => applyInput(record, input, now));
}

/** From here on the retention period can only grow. */
export async function lockRetentionPolicy(exchange: Exchange, storage: Storage, name: string): Promise<void> {
  const bucket = storage.buckets.get(name);
  if (exchange.query['ifMetagenerationMatch'] === undefined)
    throw new StorageFault(400, 'Required parameter: ifMetagenerationMatch', { reason: 'required' });
  assertBucketConditions(exchange, bucket.record, 'write');
  await revise(exchange, storage, bucket, (record) => {
    if (!record.retentionPolicy) throw invalid('The bucket has no retention policy to lock.');
    return { ...record, retentionPolicy: { ...record.retentionPolicy, isLocked: true } };
  });
}

async function revise(
  exchange: Exchange,
  storage: Storage,
  bucket: Bucket,
  change: (record: BucketRecord, now: string) => BucketRecord,
): Promise<void> {
  const updated = storage.clock().toISOString();
  const metageneration = String(BigInt(bucket.record.metageneration) + 1n);
  await storage.buckets.save(bucket, { ...change(bucket.record, updated), metageneration, updated });
  sendJson(exchange.response, 200, toBucketResource(bucket.record, exchange.baseUrl));
}

/** Google's command-line clients ask for it before most of their work. */
export function showStorageLayout(exchange: Exchange, storage: Storage, name: string): void {
  const { record } = storage.buckets.get(name);
  sendJson(exchange.response, 200, {
    kind: 'storage#storageLayout',
    bucket: record.name,
    location: record.location,
    locationType: 'region',
    hierarchicalNamespace: { enabled: false },
  });
}

export async function deleteBucket(exchange: Exchange, storage: Storage, name: string): Promise<void> {
  const bucket = storage.buckets.get(name);
  assertBucketConditions(exchange, bucket.record, 'write');
  await storage.buckets.remove(bucket);
  sendEmpty(exchange.response, 204);
}
