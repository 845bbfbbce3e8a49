// Everything behind the API, opened from one directory: what the request handlers share.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { v4 as uuid } from 'uuid';
import { type BucketStore, openBucketStore } from './bucket-store.ts';
import type { PublishNotification } from './event-message.ts';
import { EventQueue } from './event-queue.ts';
import { ObjectStore } from './object-store.ts';
import { openUploadSessions, type UploadSessions } from './upload-session.ts';

export interface Storage {
  buckets: BucketStore;
  objects: ObjectStore;
  sessions: UploadSessions;
  events: EventQueue;
  clock: () => Date;
  /** A path for content that is being uploaded; the next start removes what is left there. */
  stagingPath(): string;
}

export interface StorageOptions {
  dataDir: string;
  clock: () => Date;
  baseUrl: () => string;
  publish: PublishNotification | undefined;
}

export async function openStorage({ dataDir, clock, ...options }: StorageOptions): Promise<Storage> {
  const staging = join(dataDir, 'staging');
  await mkdir(staging, { recursive: true, mode: 0o700 });
  for (const left of await readdir(staging)) await rm(join(staging, left), { force: true });
  const buckets = await openBucketStore(join(dataDir, 'buckets'));
  const events = new EventQueue({ ...options, directory: join(dataDir, 'events'), clock });
  await events.recover(
    ({ bucket, name, generation }) => liveGeneration(buckets, bucket, name) === generation,
  );
  const objects = new ObjectStore({ clock, events, latestGeneration: latestGeneration(buckets) });
  const sessions = await openUploadSessions(join(dataDir, 'uploads'), clock, buckets);
  return { buckets, objects, sessions, events, clock, stagingPath: () => join(staging, uuid()) };
}

function liveGeneration(buckets: BucketStore, bucket: string, name: string): string | undefined {
  return buckets
    .list()
    .find(({ record }) => record.name === bucket)
    ?.objects.get(name)?.generation;
}

function latestGeneration(buckets: BucketStore): bigint {
  let latest = 0n;
  for (const bucket of buckets.list())
    for (const { generation } of bucket.objects.values())
      if (BigInt(generation) > latest) latest = BigInt(generation);
  return latest;
}
