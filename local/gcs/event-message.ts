// The finalised event as Eventarc sends it to a function: CloudEvents 1.0 over HTTP in binary mode, the object's
// metadata (google.events.cloud.storage.v1.StorageObjectData) as the body. cloud.google.com/eventarc/docs/cloudevents
import { v4 as uuid } from 'uuid';
import { z } from 'zod';
import type { ObjectRecord } from './object-schema.ts';

export const StoredEvent = z.object({
  id: z.string(),
  bucket: z.string(),
  name: z.string(),
  generation: z.string(),
  time: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type StoredEvent = z.infer<typeof StoredEvent>;

export function newEvent(record: ObjectRecord, data: Record<string, unknown>): StoredEvent {
  const { bucket, name, generation, updated: time } = record;
  return { id: uuid(), bucket, name, generation, time, data };
}

export function eventHeaders(event: StoredEvent): Record<string, string> {
  return {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': event.id,
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': `//storage.googleapis.com/projects/_/buckets/${event.bucket}`,
    'ce-subject': `objects/${encodeHeaderValue(event.name)}`,
    'ce-time': event.time,
    'ce-bucket': event.bucket,
  };
}

/** CloudEvents HTTP binding 3.1.3.2: percent-encode space, quote, percent and whatever is not printable ASCII. */
function encodeHeaderValue(value: string): string {
  return value.replaceAll(/[^\x21\x23\x24\x26-\x7e]+/gu, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
