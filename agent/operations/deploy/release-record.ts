// What is remembered of a release: root's, beside the releases and not in them, so that nothing deployed can change it. It
// outlives its release, since it tells which migrations ran.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { CommandId, CommitHash, ReleaseId, Timestamp } from '#shared/names.ts';
import type { DeploymentPlace } from './place.ts';

const FILE_MODE = 0o644;
/** Of releases that are gone; the newest. */
const KEPT_RECORDS = 200;

const Moment = z.strictObject({ at: Timestamp, by: z.string(), commandId: CommandId });

export const ReleaseRecord = z.strictObject({
  v: z.literal(1),
  release: ReleaseId,
  /** As it was asked for. */
  ref: z.string(),
  commit: CommitHash,
  /** The first line of the commit's message. */
  subject: z.string(),
  made: Moment,
  /** `begun` while nobody knows how far it came. */
  migration: z.enum(['begun', 'done']).optional(),
  backupId: z.string().optional(),
  /** When it was put in place last. */
  live: Moment.optional(),
});
export type ReleaseRecord = z.infer<typeof ReleaseRecord>;

function fileOf({ records }: DeploymentPlace, release: ReleaseId): string {
  return join(records, `${ReleaseId.parse(release)}.json`);
}

/** Writes a record; it is on the disk when this returns. */
export function writeRecord(place: DeploymentPlace, record: ReleaseRecord): void {
  writeDurably(fileOf(place, record.release), JSON.stringify(ReleaseRecord.parse(record)), FILE_MODE);
}

/** A release's record; undefined when there is none that can be read. */
export function readRecord(place: DeploymentPlace, release: ReleaseId): ReleaseRecord | undefined {
  const file = fileOf(place, release);
  try {
    return existsSync(file) ? ReleaseRecord.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
  } catch {
    return undefined;
  }
}

/** Changes a release's record, which must be there. */
export function changeRecord(
  place: DeploymentPlace,
  release: ReleaseId,
  change: Partial<ReleaseRecord>,
): void {
  const record = readRecord(place, release);
  if (!record) throw new Error(`the record of release ${release} can not be read`);
  writeRecord(place, { ...record, ...change });
}

/** Removes the record of a release that was taken back, unless its migration changed the database: that is remembered. */
export function dropUnlessMigrated(place: DeploymentPlace, release: ReleaseId): void {
  if (readRecord(place, release)?.migration === undefined) rmSync(fileOf(place, release), { force: true });
}

/** All records, oldest first. */
export function listRecords(place: DeploymentPlace): ReleaseRecord[] {
  if (!existsSync(place.records)) return [];
  return readdirSync(place.records)
    .toSorted()
    .flatMap((name) => {
      const release = ReleaseId.safeParse(name.replace(/\.json$/, ''));
      const record = release.success ? readRecord(place, release.data) : undefined;
      return record ? [record] : [];
    });
}

/** Removes the oldest records of releases that are gone. */
export function pruneRecords(place: DeploymentPlace, there: ReadonlySet<ReleaseId>): void {
  const gone = listRecords(place).filter(({ release }) => !there.has(release));
  for (const { release } of gone.slice(0, -KEPT_RECORDS)) rmSync(fileOf(place, release), { force: true });
}
