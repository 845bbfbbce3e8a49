// Which local backups retention removes. The newest restorable backup of each database stays, however old it is.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { backupTimeMs, partFile } from '#shared/backup/manifest.ts';
import { messageOf } from '#shared/errors.ts';
import type { BackupId } from '#shared/names.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import type { BackupOptions } from './manifest.ts';
import { readLocalManifest } from './read-manifest.ts';
import { type LocalBackup, listLocalBackups, localBackupDir, removeLocalBackup } from './store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Candidate extends LocalBackup {
  /** Of which database it is; undefined when its manifest can't be read, or a part is gone or has another size. */
  database: string | undefined;
}

export interface Expiry {
  expired: BackupId[];
  /** Old enough to be removed, but not in the bucket yet. */
  waiting: BackupId[];
}

/** Local backups as retention sees them, oldest first. */
export function listCandidates(localDir: string): Candidate[] {
  return listLocalBackups(localDir).map((backup) => ({
    ...backup,
    database: backup.isWhole ? databaseOf(localDir, backup.backupId) : undefined,
  }));
}

function databaseOf(localDir: string, backupId: BackupId): string | undefined {
  try {
    const { manifest } = readLocalManifest(localDir, backupId);
    const dir = localBackupDir(localDir, backupId);
    const isThere = manifest.parts.every((part) => statSync(join(dir, partFile(part))).size === part.bytes);
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
    ({ backupId }) => !kept.has(backupId) && nowMs - backupTimeMs(backupId) > retentionDays * DAY_MS,
  );
  const isWaiting = ({ isWhole, isUploaded }: LocalBackup): boolean => isWhole && !isUploaded;
  return {
    expired: old.filter((backup) => !isWaiting(backup)).map(({ backupId }) => backupId),
    waiting: old.filter(isWaiting).map(({ backupId }) => backupId),
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
      for (const backupId of waiting) note(`kept ${backupId}: the bucket does not have it yet`);
      for (const backupId of expired) {
        try {
          removeLocalBackup(policy.localDir, backupId);
        } catch (error) {
          note(`could not remove ${backupId}: ${messageOf(error)}`);
        }
      }
      return Promise.resolve({ detail: `${expired.length} removed` });
    },
    takesNothingBack: true,
    afterCrash: 'repeat',
  });
}
