// The objects on the disk. A version exists from the moment its metadata file is renamed into place, and its
// finalised event with it; content files never change, so a download goes on while its object is replaced.
import { createHash } from 'node:crypto';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '#shared/kit/durable-file.ts';
import type { Bucket } from './bucket-store.ts';
import type { Checksums } from './checksum.ts';
import { writeJson } from './disk.ts';
import type { EventQueue } from './event-queue.ts';
import { objectNotFound, StorageFault } from './fault.ts';
import { createKeyedLock } from './keyed-lock.ts';
import type { ObjectFields, ObjectRecord } from './object-schema.ts';
import { assertReplaceable } from './retention.ts';

/** Content that is complete and durable in a file of its own, which stays the caller's. */
export interface StagedContent {
  path: string;
  sizeBytes: number;
  checksums: Checksums;
}

export interface CommitRequest {
  bucket: Bucket;
  name: string;
  fields: ObjectFields;
  content: StagedContent;
  ifGenerationMatch: string | undefined;
  uploadId?: string;
}

export interface ObjectStoreOptions {
  clock: () => Date;
  events: EventQueue;
  /** No generation is given out twice, even when the clock goes back. */
  latestGeneration: bigint;
}

export class ObjectStore {
  readonly #clock: () => Date;
  readonly #events: EventQueue;
  readonly #lock = createKeyedLock();
  #latest: bigint;

  constructor(options: ObjectStoreOptions) {
    this.#clock = options.clock;
    this.#events = options.events;
    this.#latest = options.latestGeneration;
  }

  /** Throws 412 or 403 when the name cannot be written now. The commit checks this again. */
  assertWritable(bucket: Bucket, name: string, ifGenerationMatch: string | undefined): void {
    const live = bucket.objects.get(name);
    assertPrecondition(ifGenerationMatch, live);
    if (live) assertReplaceable(bucket.record, live, this.#clock().getTime());
  }

  /** Makes the content the live version and queues its event, both or neither. */
  commit(request: CommitRequest): Promise<ObjectRecord> {
    const { bucket, name, ifGenerationMatch } = request;
    return this.#lock.run(keyOf(bucket, name), async () => {
      this.assertWritable(bucket, name, ifGenerationMatch);
      const record = newRecord(request, this.#nextGeneration(), this.#clock().toISOString());
      await publish(request, record, this.#events);
      return record;
    });
  }

  /** `check` may throw to refuse. */
  remove(bucket: Bucket, name: string, check: (live: ObjectRecord) => void): Promise<void> {
    return this.#lock.run(keyOf(bucket, name), async () => {
      const live = getObject(bucket, name);
      check(live);
      assertReplaceable(bucket.record, live, this.#clock().getTime());
      await rm(recordPath(bucket, name), { force: true });
      await syncDirectory(join(bucket.directory, 'objects'));
      bucket.objects.delete(name);
      await rm(contentPath(bucket, live), { force: true });
    });
  }

  #nextGeneration(): string {
    const now = BigInt(this.#clock().getTime()) * 1_000n;
    this.#latest = now > this.#latest ? now : this.#latest + 1n;
    return String(this.#latest);
  }
}

/** An open content file can be read to its end, also when the object is replaced or deleted. */
export async function openContent(bucket: Bucket, record: ObjectRecord): Promise<FileHandle> {
  try {
    return await open(contentPath(bucket, record), 'r');
  } catch (cause) {
    // Replaced or deleted between the look-up and the opening.
    if (bucket.objects.get(record.name)?.generation !== record.generation)
      throw objectNotFound(record.bucket, record.name);
    throw cause;
  }
}

function contentPath(bucket: Bucket, record: ObjectRecord): string {
  return join(bucket.directory, 'content', record.content);
}

/** The live version, or that generation of it. Throws 404. */
export function getObject(bucket: Bucket, name: string, generation?: string): ObjectRecord {
  const live = bucket.objects.get(name);
  if (!live || (generation !== undefined && generation !== live.generation))
    throw objectNotFound(bucket.record.name, name);
  return live;
}

/** Throws 412 when the live version is not the one asked for; without a live version the generation is 0. */
export function assertPrecondition(
  ifGenerationMatch: string | undefined,
  live: ObjectRecord | undefined,
): void {
  if (ifGenerationMatch === undefined || BigInt(ifGenerationMatch) === BigInt(live?.generation ?? 0)) return;
  throw new StorageFault(412, 'At least one of the pre-conditions you specified did not hold.');
}

function newRecord(request: CommitRequest, generation: string, timeCreated: string): ObjectRecord {
  const { bucket, name, fields, content, uploadId } = request;
  return {
    ...fields,
    bucket: bucket.record.name,
    name,
    generation,
    sizeBytes: content.sizeBytes,
    ...content.checksums,
    timeCreated,
    content: `${hashOf(name)}.${generation}`,
    ...(uploadId === undefined ? {} : { uploadId }),
  };
}

async function publish(request: CommitRequest, record: ObjectRecord, events: EventQueue): Promise<void> {
  const { bucket, name, content } = request;
  const replaced = bucket.objects.get(name);
  const path = contentPath(bucket, record);
  await link(content.path, path);
  await syncDirectory(join(bucket.directory, 'content'));
  const event = await events.prepare(bucket.record, record);
  try {
    await writeJson(recordPath(bucket, name), record);
  } catch (thrown) {
    await event.drop();
    await rm(path, { force: true });
    throw thrown;
  }
  bucket.objects.set(name, record);
  await event.release();
  if (replaced) await rm(contentPath(bucket, replaced), { force: true });
}

function recordPath(bucket: Bucket, name: string): string {
  return join(bucket.directory, 'objects', `${hashOf(name)}.json`);
}

function keyOf(bucket: Bucket, name: string): string {
  return `${bucket.record.name}/${name}`;
}

/** A name is any UTF-8 up to 1,024 bytes; its hash is safe as a file's name and never a path. */
function hashOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}
