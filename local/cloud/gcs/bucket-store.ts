// The buckets on the disk: one directory each, with `bucket.json`, `objects/` (metadata) and `content/` (bytes).
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '#shared/kit/durable-file.ts';
import { BucketRecord } from './bucket-schema.ts';
import { readJsonFiles, writeJson } from './disk.ts';
import { StorageFault } from './fault.ts';
import { ObjectRecord } from './object-schema.ts';

export interface Bucket {
  record: BucketRecord;
  directory: string;
  objects: Map<string, ObjectRecord>;
}

export interface BucketStore {
  /** Throws 404. */
  get(name: string): Bucket;
  list(): Bucket[];
  /** Throws 409 when the name is taken. */
  create(record: BucketRecord): Promise<Bucket>;
}

/** Reads every bucket and object record; memory holds metadata only. */
export async function openBucketStore(directory: string): Promise<BucketStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const buckets = new Map<string, Bucket>();
  for (const name of await readdir(directory)) {
    const bucket = await loadBucket(join(directory, name));
    if (bucket) buckets.set(bucket.record.name, bucket);
  }
  return {
    get: (name) => {
      const bucket = buckets.get(name);
      if (!bucket) throw new StorageFault(404, 'The specified bucket does not exist.');
      return bucket;
    },
    list: () => [...buckets.values()],
    create: async (record) => {
      if (buckets.has(record.name)) throw new StorageFault(409, nameTaken(record.name));
      const bucket = emptyBucket(join(directory, record.name), record);
      buckets.set(record.name, bucket);
      await persistNew(bucket).catch((thrown: unknown) => {
        buckets.delete(record.name);
        throw thrown;
      });
      await syncDirectory(directory);
      return bucket;
    },
  };
}

function nameTaken(name: string): string {
  return `Your previous request to create the named bucket succeeded and you already own it: ${name}`;
}

function emptyBucket(directory: string, record: BucketRecord): Bucket {
  return { record, directory, objects: new Map() };
}

async function persistNew(bucket: Bucket): Promise<void> {
  await mkdir(join(bucket.directory, 'objects'), { recursive: true, mode: 0o700 });
  await mkdir(join(bucket.directory, 'content'), { recursive: true, mode: 0o700 });
  await writeJson(join(bucket.directory, 'bucket.json'), bucket.record);
}

async function loadBucket(directory: string): Promise<Bucket | undefined> {
  if (!(await stat(directory)).isDirectory()) return undefined;
  const [found] = await readJsonFiles(directory, BucketRecord);
  if (!found) {
    // A kill in the middle of creating the bucket.
    await rm(directory, { recursive: true, force: true });
    return undefined;
  }
  const bucket = emptyBucket(directory, found[1]);
  for (const [, record] of await readJsonFiles(join(directory, 'objects'), ObjectRecord))
    bucket.objects.set(record.name, record);
  await sweepContent(bucket);
  return bucket;
}

/** Content that no record names: an upload that was killed before its commit, or a delete before its clean-up. */
async function sweepContent(bucket: Bucket): Promise<void> {
  const named = new Set([...bucket.objects.values()].map((record) => record.content));
  const directory = join(bucket.directory, 'content');
  for (const file of await readdir(directory))
    if (!named.has(file)) await rm(join(directory, file), { force: true });
}
