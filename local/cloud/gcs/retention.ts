// Why an object may not be deleted or replaced: the bucket's retention policy. cloud.google.com/storage/docs/bucket-lock
import type { BucketRecord } from './bucket-schema.ts';
import { StorageFault } from './fault.ts';

interface Retained {
  bucket: string;
  name: string;
  timeCreated: string;
}

/** Until when the policy keeps the object; undefined without a policy. */
export function retentionExpiryMs(bucket: BucketRecord, object: Retained): number | undefined {
  if (!bucket.retentionPolicy) return undefined;
  return Date.parse(object.timeCreated) + bucket.retentionPolicy.retentionPeriod * 1_000;
}

/** Throws 403 while the retention policy protects the object. */
export function assertReplaceable(bucket: BucketRecord, object: Retained, nowMs: number): void {
  const expiryMs = retentionExpiryMs(bucket, object);
  if (expiryMs === undefined || expiryMs <= nowMs) return;
  const until = new Date(expiryMs).toISOString();
  throw new StorageFault(
    403,
    `Object '${object.bucket}/${object.name}' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until ${until}`,
    { reason: 'retentionPolicyNotMet' },
  );
}
