// A bucket as stored, as a client may write it, and as the API shows it.
import * as z from 'zod';
import { bucketEtagOf } from './etag.ts';
import { invalid, unsupported } from './fault.ts';
import { MAX_RETENTION_PERIOD_S } from './limits.ts';

// cloud.google.com/storage/docs/buckets#naming; also what keeps a bucket's name safe as a directory's.
const BUCKET_NAME = /^[a-z0-9](?:[a-z0-9_-]|\.(?!\.)){1,220}[a-z0-9]$/;

export function assertBucketName(name: string): void {
  const isTooLong = name.split('.').some((part) => part.length > 63);
  if (!BUCKET_NAME.test(name) || isTooLong) throw invalid(`Invalid bucket name: '${name}'`);
}

const RetentionPolicyInput = z.object({
  retentionPeriod: z
    .union([z.string().regex(/^\d{1,10}$/), z.int().min(0)])
    .transform(Number)
    .pipe(z.number().min(1).max(MAX_RETENTION_PERIOD_S)),
});

/** Kept and shown as they came; nothing here acts on them. */
const opaque = {
  labels: z.record(z.string(), z.string().nullable()).nullable().optional(),
  lifecycle: z
    .object({ rule: z.array(z.looseObject({ action: z.looseObject({ type: z.string() }) })).optional() })
    .nullable()
    .optional(),
  cors: z.array(z.unknown()).nullable().optional(),
  iamConfiguration: z.record(z.string(), z.unknown()).nullable().optional(),
  softDeletePolicy: z.record(z.string(), z.unknown()).nullable().optional(),
};

/** The writable part of a bucket resource; in a patch, null removes. */
export const BucketInput = z.object({
  name: z.string().optional(),
  location: z.string().optional(),
  storageClass: z.string().optional(),
  defaultEventBasedHold: z.boolean().optional(),
  versioning: z.object({ enabled: z.boolean().optional() }).nullable().optional(),
  retentionPolicy: RetentionPolicyInput.nullable().optional(),
  ...opaque,
});
export type BucketInput = z.infer<typeof BucketInput>;

export const BucketRecord = z.object({
  name: z.string(),
  location: z.string(),
  storageClass: z.string(),
  metageneration: z.string(),
  timeCreated: z.string(),
  updated: z.string(),
  defaultEventBasedHold: z.boolean(),
  retentionPolicy: z
    .object({ retentionPeriod: z.number(), effectiveTime: z.string(), isLocked: z.boolean() })
    .optional(),
  ...opaque,
});
export type BucketRecord = z.infer<typeof BucketRecord>;

export function assertSupported(input: BucketInput): void {
  if (input.versioning?.enabled) throw unsupported('object versioning');
}

export function toBucketResource(record: BucketRecord, baseUrl: string): object {
  const { retentionPolicy, defaultEventBasedHold, ...rest } = record;
  return {
    kind: 'storage#bucket',
    id: record.name,
    selfLink: `${baseUrl}/storage/v1/b/${record.name}`,
    projectNumber: '0',
    etag: bucketEtagOf(record.metageneration),
    locationType: 'region',
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)),
    ...(defaultEventBasedHold ? { defaultEventBasedHold } : {}),
    ...(retentionPolicy ? { retentionPolicy: showRetentionPolicy(retentionPolicy) } : {}),
  };
}

function showRetentionPolicy(policy: NonNullable<BucketRecord['retentionPolicy']>): object {
  const { retentionPeriod, effectiveTime, isLocked } = policy;
  return {
    retentionPeriod: String(retentionPeriod),
    effectiveTime,
    ...(isLocked ? { isLocked } : {}),
  };
}
