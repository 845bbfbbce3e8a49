// Backups as the API shows them.
import type { BackupView } from '#shared/api/views.ts';
import { findBackupsById, listBackups, type StoredBackup } from '../store/backups.ts';
import type { Queryable } from '../store/database.ts';

/** Every byte is decoded and every row counted; PostgreSQL may still refuse what pg_dump wrote, for example a CHECK that reads another table. */
const NOT_PROVEN = ['that PostgreSQL restores it: it was decoded and counted, not restored'];

function toView(backup: StoredBackup): BackupView {
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
      ...(backup.proofState === 'verified' ? { notProven: NOT_PROVEN } : {}),
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
