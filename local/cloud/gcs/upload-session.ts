// Resumable upload sessions on the disk: `<id>.json` says what is being uploaded and how many bytes are durable,
// `<id>.data` holds them. Sessions survive a restart, also one by kill -9.
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { v4 as uuid } from 'uuid';
import * as z from 'zod';
import type { BucketStore } from './bucket-store.ts';
import { type Checksummer, createChecksummer } from './checksum.ts';
import { readJsonFiles, writeJson } from './disk.ts';
import { StorageFault } from './fault.ts';
import { createKeyedLock, type KeyedLock } from './keyed-lock.ts';
import { SESSION_LIFETIME_MS } from './limits.ts';
import { ObjectFields, ObjectRecord } from './object-schema.ts';

export const SessionRecord = z.object({
  id: z.string(),
  bucket: z.string(),
  name: z.string(),
  fields: ObjectFields,
  ifGenerationMatch: z.string().optional(),
  createdAt: z.string(),
  durableBytes: z.number(),
  /** The finished object. */
  done: ObjectRecord.optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

export interface UploadSession {
  record: SessionRecord;
  dataPath: string;
  /** Has seen exactly `durableBytes`; undefined after a restart, until the file is read again. */
  checksummer: Checksummer | undefined;
  /** Ends the request that is sending bytes now. */
  interrupt: (() => void) | undefined;
}

export interface UploadSessions {
  lock: KeyedLock;
  create(record: Omit<SessionRecord, 'id' | 'createdAt' | 'durableBytes'>): Promise<UploadSession>;
  /** Throws 404, or 410 after a week. */
  get(id: string): UploadSession;
  /** Makes the session's record durable. */
  save(session: UploadSession, change: Partial<SessionRecord>): Promise<void>;
  remove(session: UploadSession): Promise<void>;
}

export async function openUploadSessions(
  directory: string,
  clock: () => Date,
  buckets: BucketStore,
): Promise<UploadSessions> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const sessions = new Map<string, UploadSession>();
  function add(record: SessionRecord): UploadSession {
    const dataPath = join(directory, `${record.id}.data`);
    const session = { record, dataPath, checksummer: undefined, interrupt: undefined };
    sessions.set(record.id, session);
    return session;
  }
  function isExpired(record: SessionRecord): boolean {
    return clock().getTime() - Date.parse(record.createdAt) > SESSION_LIFETIME_MS;
  }
  const store: UploadSessions = {
    lock: createKeyedLock(),
    create: async (given) => {
      const record = { ...given, id: uuid(), createdAt: clock().toISOString(), durableBytes: 0 };
      await (await open(join(directory, `${record.id}.data`), 'wx', 0o600)).close();
      await writeJson(join(directory, `${record.id}.json`), record);
      return add(record);
    },
    get: (id) => {
      const session = sessions.get(id);
      if (!session) throw new StorageFault(404, 'No such upload session; it may have ended.');
      if (isExpired(session.record)) throw new StorageFault(410, 'The upload session has expired.');
      return session;
    },
    save: async (session, change) => {
      const record = { ...session.record, ...change };
      await writeJson(join(directory, `${record.id}.json`), record);
      session.record = record;
    },
    remove: async (session) => {
      sessions.delete(session.record.id);
      await rm(join(directory, `${session.record.id}.json`), { force: true });
      await rm(session.dataPath, { force: true });
    },
  };
  for (const [, record] of await readJsonFiles(directory, SessionRecord)) {
    const session = add({ ...record, ...finishedBy(record, buckets) });
    if (isExpired(record)) await store.remove(session);
  }
  await sweepData(directory, sessions);
  return store;
}

/** A kill between the object's commit and the session's: the object knows which upload made it. */
function finishedBy(record: SessionRecord, buckets: BucketStore): Partial<SessionRecord> {
  if (record.done) return {};
  const bucket = buckets.list().find((one) => one.record.name === record.bucket);
  const live = bucket?.objects.get(record.name);
  return live?.uploadId === record.id ? { done: live } : {};
}

async function sweepData(directory: string, sessions: Map<string, UploadSession>): Promise<void> {
  for (const file of await readdir(directory)) {
    const session = sessions.get(file.replace(/\.data$/, ''));
    const isLeft = file.endsWith('.data') && (!session || session.record.done);
    if (isLeft) await rm(join(directory, file), { force: true });
  }
}

/** The session's file with exactly its durable bytes, and checksums that have seen exactly them. */
export async function openSessionData(
  session: UploadSession,
): Promise<{ file: FileHandle; checksummer: Checksummer }> {
  const { durableBytes } = session.record;
  const file = await open(session.dataPath, 'r+');
  try {
    if ((await file.stat()).size < durableBytes)
      throw new StorageFault(410, 'The upload session has lost bytes; start the upload again.');
    await file.truncate(durableBytes);
    const checksummer = session.checksummer ?? (await rehash(session.dataPath, durableBytes));
    session.checksummer = undefined;
    return { file, checksummer };
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

async function rehash(path: string, size: number): Promise<Checksummer> {
  const checksummer = await createChecksummer();
  if (size > 0)
    for await (const chunk of createReadStream(path, { end: size - 1 })) checksummer.update(chunk);
  return checksummer;
}
