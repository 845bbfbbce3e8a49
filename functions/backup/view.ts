// Backups as the API shows them.
import type { BackupView } from '#shared/api/views.ts';
import { findBackupsById, listBackups, type StoredBackup } from '../store/backups.ts';
import type { Queryable } from '../store/database.ts';

/** What each state of a proof leaves open. */
const NOT_PROVEN: Partial<Record<StoredBackup['proofState'], string[]>> = {
  // PostgreSQL may still refuse what pg_dump wrote, for example a CHECK that reads another table.
  verified: ['that PostgreSQL restores it: it was decoded and counted, not restored'],
  intact: [
    'what an encrypted dump holds, where the proof says "intact": its bytes are those that the host signed, and only a restore where the identity is opens them',
  ],
};

function toView(backup: StoredBackup): BackupView {
  const notProven = NOT_PROVEN[backup.proofState];
  return {
    id: backup.id,
    host: backup.host,
    database: backup.database,
    startedAt: backup.startedAt.toISOString(),
    finishedAt: backup.finishedAt.toISOString(),
    bytes: backup.bytes,
    tables: backup.tables,
    rows: backup.rows,
    proof: {
      state: backup.proofState,
      at: backup.proofAt?.toISOString() ?? null,
      faults: backup.faults,
      ...(notProven ? { notProven } : {}),
    },
  };
}

/** Backups, the newest first. */
export async function listBackupViews(db: Queryable, limit: number): Promise<BackupView[]> {
  return (await listBackups(db, limit)).map(toView);
}

/** The newest backup, or null when there is none. */
export async function latestBackupView(db: Queryable): Promise<BackupView | null> {
  return (await listBackupViews(db, 1))[0] ?? null;
}

/** The backup with this id, or undefined. */
export async function findBackupView(db: Queryable, id: string): Promise<BackupView | undefined> {
  return (await findBackupsById(db, id)).map(toView)[0];
}
