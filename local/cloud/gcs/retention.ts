// Why an object may not be deleted or replaced: holds and the bucket's retention policy.
// cloud.google.com/storage/docs/bucket-lock, cloud.google.com/storage/docs/object-holds
import type { BucketRecord } from './bucket-schema.ts';
import { StorageFault } from './fault.ts';

interface Retained {
  bucket: string;
  name: string;
  timeCreated: string;
  retentionStart?: string | undefined;
  temporaryHold?: boolean | undefined;
  eventBasedHold?: boolean | undefined;
}

/** Until when the policy keeps the object; undefined without a policy, or while an event-based hold lasts. */
export function retentionExpiryMs(bucket: BucketRecord, object: Retained): number | undefined {
  if (!bucket.retentionPolicy || object.eventBasedHold) return undefined;
  const startMs = Date.parse(object.retentionStart ?? object.timeCreated);
  return startMs + bucket.retentionPolicy.retentionPeriod * 1_000;
}

/** Throws 403 while a hold or the retention policy protects the object. */
export function assertReplaceable(bucket: BucketRecord, object: Retained, nowMs: number): void {
  const id = `Object '${object.bucket}/${object.name}'`;
  const hold = activeHold(object);
  if (hold)
    throw new StorageFault(
      403,
      `${id} is under active ${hold} hold and cannot be deleted, overwritten or archived until hold is removed.`,
      { reason: 'objectUnderActiveHold' },
    );
  const expiryMs = retentionExpiryMs(bucket, object);
  if (expiryMs === undefined || expiryMs <= nowMs) return;
  const until = new Date(expiryMs).toISOString();
  throw new StorageFault(
    403,
    `${id} is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until ${until}`,
    { reason: 'retentionPolicyNotMet' },
  );
}

function activeHold(object: Retained): string | undefined {
  if (object.temporaryHold) return 'Temporary';
  return object.eventBasedHold ? 'Event-Based' : undefined;
}
