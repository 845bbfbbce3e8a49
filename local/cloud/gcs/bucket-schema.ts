// A bucket as stored, as a client may write it, and as the API shows it.
import * as z from 'zod';
import { invalid } from './fault.ts';
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

export const BucketInput = z.object({
  name: z.string().default(''),
  retentionPolicy: RetentionPolicyInput.optional(),
});

export const BucketRecord = z.object({
  name: z.string(),
  timeCreated: z.string(),
  retentionPolicy: z.object({ retentionPeriod: z.number(), effectiveTime: z.string() }).optional(),
});
export type BucketRecord = z.infer<typeof BucketRecord>;

export function toBucketResource({ retentionPolicy, ...record }: BucketRecord, baseUrl: string): object {
  return {
    kind: 'storage#bucket',
    id: record.name,
    selfLink: `${baseUrl}/storage/v1/b/${record.name}`,
    projectNumber: '0',
    location: 'US',
    storageClass: 'STANDARD',
    metageneration: '1',
    updated: record.timeCreated,
    ...record,
    ...(retentionPolicy
      ? { retentionPolicy: { ...retentionPolicy, retentionPeriod: String(retentionPolicy.retentionPeriod) } }
      : {}),
  };
}
