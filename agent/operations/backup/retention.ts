// Which local backups retention removes. The newest restorable backup of each database stays, however old it is.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { partFile } from '#shared/backup/manifest.ts';
import { messageOf } from '#shared/errors.ts';
import { idTimeMs } from '#shared/names.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import type { BackupOptions } from './manifest.ts';
import { readLocalManifest } from './read-manifest.ts';
import { type ListedBackup, type LocalBackup, listLocalBackups, removeLocalBackup } from './store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Candidate extends ListedBackup {
  /** Of which database it is; undefined when its manifest can't be read, or a part is gone or has another size. */
  database: string | undefined;
}

export interface Expiry {
  expired: LocalBackup[];
  /** Old enough to be removed, but not in the bucket yet. */
  waiting: LocalBackup[];
}

/** Local backups as retention sees them, oldest first. */
export function listCandidates(localDir: string): Candidate[] {
  return listLocalBackups(localDir).map((backup) => ({
    ...backup,
    database: backup.isWhole ? databaseOf(backup) : undefined,
  }));
}

function databaseOf(backup: LocalBackup): string | undefined {
  try {
    const { manifest } = readLocalManifest(backup);
    const isThere = manifest.parts.every(
      (part) => statSync(join(backup.dir, partFile(part))).size === part.bytes,
    );
    return isThere ? manifest.database : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Which backups retention removes: older than the days, never the newest good one of a database, and never a whole one
 * that the bucket does not have.
 */
export function chooseExpired(backups: readonly Candidate[], retentionDays: number, nowMs: number): Expiry {
  const newest = new Map(backups.map(({ database, backupId }) => [database, backupId]));
  newest.delete(undefined);
  const kept = new Set(newest.values());
  const old = backups.filter(
    ({ backupId }) => !kept.has(backupId) && nowMs - idTimeMs(backupId) > retentionDays * DAY_MS,
  );
  const isWaiting = ({ isWhole, isUploaded }: ListedBackup): boolean => isWhole && !isUploaded;
  return {
    expired: old.filter((backup) => !isWaiting(backup)),
    waiting: old.filter(isWaiting),
  };
}

/** Removes what has expired; what can't be removed stays, with a note. */
export function retentionStep({ policy, localRetentionDays }: BackupOptions): Step<undefined> {
  return defineStep({
    name: 'retention',
    describe: () =>
      `remove local copies older than ${localRetentionDays} days, never the newest good one of a database or one that is not in the bucket`,
    run: ({ note }) => {
      const backups = listCandidates(policy.localDir);
      const { expired, waiting } = chooseExpired(backups, localRetentionDays, Date.now());
      for (const { backupId } of waiting) note(`kept ${backupId}: the bucket does not have it yet`);
      for (const backup of expired) {
        try {
          removeLocalBackup(backup);
        } catch (error) {
          note(`could not remove ${backup.backupId}: ${messageOf(error)}`);
        }
      }
      return Promise.resolve({ detail: `${expired.length} removed` });
    },
    takesNothingBack: true,
    afterCrash: 'repeat',
  });
}
