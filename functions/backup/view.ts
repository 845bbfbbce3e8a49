// Backups as the API shows them.
import type { BackupView } from '#shared/api/views.ts';
import { idTimeMs } from '#shared/names.ts';
import {
  findBackupsById,
  type HeldBackup,
  listBackups,
  listHeldBackups,
  type StoredBackup,
} from '../store/backups.ts';
import type { Queryable } from '../store/database.ts';

/** Only the recipients in the host's policy can open these parts, whatever the proof of the dump is. */
const ENCRYPTED_PARTS =
  'what the roles (globals.sql.age) and the configuration (config.tar.age) hold: their bytes are those that the host signed, and nobody opens them';

/** What each proof does not show. */
const NOT_PROVEN: Partial<Record<StoredBackup['proofState'], string[]>> = {
  // PostgreSQL may still refuse a dump, for example for a CHECK that reads another table.
  verified: ['that PostgreSQL restores it: it was decoded and counted, not restored', ENCRYPTED_PARTS],
  intact: [
    'what an encrypted dump holds, where the proof says "intact": its bytes are those that the host signed, and only a restore where the identity is opens them',
    ENCRYPTED_PARTS,
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

function toHeldView({ host, result }: HeldBackup): BackupView {
  const { backupId: id, database, bytes, tables, rows, durationMs } = result;
  const startedMs = idTimeMs(id);
  return {
    id,
    host,
    database,
    startedAt: new Date(startedMs).toISOString(),
    finishedAt: new Date(startedMs + durationMs).toISOString(),
    bytes,
    tables,
    rows,
    proof: { state: 'not-uploaded', at: null, faults: [] },
  };
}

/** Backups, the newest first, including those that are only on their hosts. */
export async function listBackupViews(db: Queryable, limit: number): Promise<BackupView[]> {
  const views = [
    ...(await listBackups(db, limit)).map(toView),
    ...(await listHeldBackups(db, limit)).map(toHeldView),
  ];
  return views.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt)).slice(0, limit);
}

/** The newest backup that the bucket has, or null when there is none. */
export async function latestBackupView(db: Queryable): Promise<BackupView | null> {
  const [newest] = await listBackups(db, 1);
  return newest ? toView(newest) : null;
}

/** The backup with this id, or undefined. */
export async function findBackupView(db: Queryable, id: string): Promise<BackupView | undefined> {
  return (await findBackupsById(db, id)).map(toView)[0];
}
