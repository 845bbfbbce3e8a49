// The notification of a finalised object, as Cloud Storage publishes it: attributes say what happened to which object, the data
// is the object's metadata. cloud.google.com/storage/docs/pubsub-notifications#format
import { v4 as uuid } from 'uuid';
import * as z from 'zod';
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

/** A notification, ready to be published. */
export interface Notification {
  data: Buffer;
  attributes: Record<string, string>;
}

/** Publishes a notification; resolves when Pub/Sub has taken it. */
export type PublishNotification = (notification: Notification) => Promise<void>;

export function newEvent(record: ObjectRecord, data: Record<string, unknown>): StoredEvent {
  const { bucket, name, generation, timeCreated: time } = record;
  return { id: uuid(), bucket, name, generation, time, data };
}

export function toNotification({ bucket, name, generation, time, data }: StoredEvent): Notification {
  return {
    data: Buffer.from(JSON.stringify(data)),
    attributes: {
      notificationConfig: `projects/_/buckets/${bucket}/notificationConfigs/1`,
      eventType: 'OBJECT_FINALIZE',
      payloadFormat: 'JSON_API_V1',
      bucketId: bucket,
      objectId: name,
      objectGeneration: generation,
      eventTime: time,
    },
  };
}
