// The old files of a folder: which may go, and removing those that are still what they were.
import { lstatSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { MAX_REMOVED } from '#shared/operations/disk.ts';
import { type CleanUp, matchesPattern } from '#shared/policy/disk.ts';
import { findOpenFiles, identityOf } from '../../host/open-files.ts';
import { type OpenDirectory, openUnlinkedDirectory } from '../../host/trusted-path.ts';

const DAY_MS = 24 * 60 * 60_000;
/** At most so many files that stay are listed with their reasons. */
const MAX_LEFT = 200;

const OldFile = z.strictObject({
  name: z.string(),
  bytes: z.int(),
  changedAt: z.string(),
  /** Device and inode, and the change in nanoseconds: when one of them is another, it is another file. */
  identity: z.string(),
  changedNs: z.string(),
});
type OldFile = z.infer<typeof OldFile>;
const Left = z.strictObject({ name: z.string(), why: z.string() });
type Left = z.infer<typeof Left>;

export const OldFiles = z.strictObject({
  files: z.array(OldFile),
  left: z.array(Left),
  more: z.int(),
});
export type OldFiles = z.infer<typeof OldFiles>;

interface Found extends OldFile {
  changedMs: number;
  /** Why it stays, whatever its age. */
  why: string | undefined;
}

function look(directory: OpenDirectory, name: string): Found | undefined {
  const stat = lstatSync(directory.pathOf(name), { bigint: true, throwIfNoEntry: false });
  if (!stat || stat.isDirectory()) return undefined;
  const links = `it has ${stat.nlink} names, and another one may be needed`;
  const why = !stat.isFile() ? 'it is no regular file' : stat.nlink > 1n ? links : undefined;
  return {
    name,
    bytes: Number(stat.size),
    changedAt: new Date(Number(stat.mtimeMs)).toISOString(),
    identity: identityOf(stat),
    changedNs: String(stat.mtimeNs),
    changedMs: Number(stat.mtimeMs),
    why,
  };
}

/** Another name of the folder, through a link of root's, is the same folder. */
function refuseBackups(directory: OpenDirectory, folder: string, backupsDir: string | undefined): void {
  const backups =
    backupsDir === undefined ? undefined : statSync(backupsDir, { bigint: true, throwIfNoEntry: false });
  const own = statSync(directory.fd === undefined ? folder : directory.pathOf('.'), { bigint: true });
  if (!backups || identityOf(own) !== identityOf(backups)) return;
  throw new LamplighterError('refused', `clean up ${folder}: Lamplighter's own backups are there`, {
    hint: 'Their retention removes old ones by itself.',
  });
}

function inFolder<T>(folder: string, work: (directory: OpenDirectory) => T): T {
  const directory = openUnlinkedDirectory(folder);
  try {
    return work(directory);
  } finally {
    directory.close();
  }
}

/** What may go now, the oldest first. Throws `refused` for the folder of the backups, or when open files can't be seen. */
export function listOld(
  { folder, names, olderThanDays, keepNewest }: CleanUp,
  backupsDir: string | undefined,
  nowMs: number,
  open: ReadonlySet<string> = findOpenFiles(),
): OldFiles {
  const matching = inFolder(folder, (directory) => {
    refuseBackups(directory, folder, backupsDir);
    return readdirSync(directory.fd === undefined ? folder : directory.pathOf('.'))
      .filter((name) => names.some((pattern) => matchesPattern(name, pattern)))
      .flatMap((name) => look(directory, name) ?? []);
  });
  const newestFirst = matching.toSorted((a, b) => b.changedMs - a.changedMs || a.name.localeCompare(b.name));
  // Links and files that stay anyway do not count as the newest that is kept.
  const kept = new Set(newestFirst.filter(({ why }) => why === undefined).slice(0, keepNewest));
  const oldestFirst = newestFirst
    .filter((file) => !kept.has(file) && file.changedMs < nowMs - olderThanDays * DAY_MS)
    .toReversed();
  const judged = oldestFirst.map((file) => ({ file, why: file.why ?? whyOpen(file, open) }));
  const free = judged.flatMap(({ file, why }) => (why === undefined ? [file] : []));
  return {
    files: free.slice(0, MAX_REMOVED).map(({ changedMs: _ms, why: _why, ...file }) => file),
    left: judged
      .flatMap(({ file, why }) => (why === undefined ? [] : [{ name: file.name, why }]))
      .slice(0, MAX_LEFT),
    more: Math.max(0, free.length - MAX_REMOVED),
  };
}

function whyOpen({ identity }: OldFile, open: ReadonlySet<string>): string | undefined {
  return open.has(identity) ? 'a process has it open' : undefined;
}

function whyChanged(now: Found | undefined, planned: OldFile): string | undefined {
  if (!now) return 'it is gone already';
  const isSame =
    now.identity === planned.identity && now.changedNs === planned.changedNs && now.bytes === planned.bytes;
  return isSame ? now.why : 'it has changed meanwhile';
}

/** Removes those that are still the same and that nobody has opened since. */
export function removeOld(
  folder: string,
  files: readonly OldFile[],
  open: ReadonlySet<string> = findOpenFiles(),
): { removed: Pick<OldFile, 'name' | 'bytes' | 'changedAt'>[]; left: Left[] } {
  const removed: Pick<OldFile, 'name' | 'bytes' | 'changedAt'>[] = [];
  const left: Left[] = [];
  inFolder(folder, (directory) => {
    for (const file of files) {
      const { name, bytes, changedAt } = file;
      const why = whyChanged(look(directory, name), file) ?? whyOpen(file, open) ?? remove(directory, name);
      if (why === undefined) removed.push({ name, bytes, changedAt });
      else left.push({ name, why });
    }
  });
  return { removed, left: left.slice(0, MAX_LEFT) };
}

function remove(directory: OpenDirectory, name: string): string | undefined {
  try {
    unlinkSync(directory.pathOf(name));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
