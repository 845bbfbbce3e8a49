// Backups, the proofs of their parts, and the lease of whoever verifies one.
import { z } from 'zod';
import { BackupId } from '#shared/names.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';

export const ProofState = z.enum(['pending', 'verified', 'corrupt']);

export const StoredBackup = z.object({
  host: z.string(),
  id: BackupId,
  database: z.string(),
  startedAt: z.date(),
  finishedAt: z.date(),
  bytes: z.number(),
  tables: z.number(),
  rows: z.number(),
  proofState: ProofState,
  proofAt: z.date().nullable(),
  faults: z.array(z.string()),
});
export type StoredBackup = z.infer<typeof StoredBackup>;

const COLUMNS = `host, id, database, started_at AS "startedAt", finished_at AS "finishedAt", bytes, tables, rows,
  proof_state AS "proofState", proof_at AS "proofAt", faults`;

export interface NewBackup {
  host: string;
  id: string;
  database: string;
  commandId: string | null;
  startedAt: Date;
  finishedAt: Date;
  bytes: number;
  tables: number;
  rows: number;
}

/** Keeps a backup once; what was known of it stays. */
export async function insertBackup(db: Queryable, backup: NewBackup): Promise<void> {
  await db.query(
    `INSERT INTO backups (host, id, database, command_id, started_at, finished_at, bytes, tables, rows)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (host, id) DO NOTHING`,
    [
      backup.host,
      backup.id,
      backup.database,
      backup.commandId,
      backup.startedAt,
      backup.finishedAt,
      backup.bytes,
      backup.tables,
      backup.rows,
    ],
  );
}

/** Backups, the newest first. */
export async function listBackups(db: Queryable, limit: number): Promise<StoredBackup[]> {
  return await queryRows(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups ORDER BY finished_at DESC LIMIT $1`,
    [limit],
  );
}

/** Backups with this id, of whatever host. */
export async function findBackupsById(db: Queryable, id: string): Promise<StoredBackup[]> {
  return await queryRows(db, StoredBackup, `SELECT ${COLUMNS} FROM backups WHERE id = $1 ORDER BY host`, [
    id,
  ]);
}

/** A host's newest backup that was proven. */
export async function latestVerifiedBackup(db: Queryable, host: string): Promise<StoredBackup | undefined> {
  return await queryRow(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups WHERE host = $1 AND proof_state = 'verified' ORDER BY finished_at DESC LIMIT 1`,
    [host],
  );
}

/** The backups that a daily round looks at: each host's newest, and all that are still to be proven. */
export async function listDueBackups(db: Queryable): Promise<StoredBackup[]> {
  return await queryRows(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups b WHERE proof_state = 'pending'
       OR finished_at = (SELECT max(finished_at) FROM backups n WHERE n.host = b.host)`,
  );
}

/** Takes the right to verify a backup until a time; false while somebody else has it. */
export async function acquireBackupLease(
  db: Queryable,
  key: { host: string; id: string; owner: string; now: Date; until: Date },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE backups SET lease_owner = $3, lease_until = $5
     WHERE host = $1 AND id = $2 AND (lease_until IS NULL OR lease_until < $4 OR lease_owner = $3)`,
    [key.host, key.id, key.owner, key.now, key.until],
  );
  return rowCount === 1;
}

/** Gives the right back. */
export async function releaseBackupLease(
  db: Queryable,
  { host, id, owner }: { host: string; id: string; owner: string },
): Promise<void> {
  await db.query(
    'UPDATE backups SET lease_owner = NULL, lease_until = NULL WHERE host = $1 AND id = $2 AND lease_owner = $3',
    [host, id, owner],
  );
}

export interface Proof {
  host: string;
  id: string;
  state: 'verified' | 'corrupt';
  at: Date;
  faults: readonly string[];
  manifestSha256: string | null;
}

/** Records what a verification found. */
export async function saveProof(db: Queryable, proof: Proof): Promise<void> {
  await db.query(
    `UPDATE backups SET proof_state = $3, proof_at = $4, faults = $5, manifest_sha256 = $6 WHERE host = $1 AND id = $2`,
    [proof.host, proof.id, proof.state, proof.at, toJson(proof.faults), proof.manifestSha256],
  );
}

const PartProof = z.object({ part: z.string(), faults: z.array(z.string()) });

/** Parts that were gone through for this very manifest. */
export async function listPartProofs(db: Queryable, host: string, id: string, manifestSha256: string) {
  return await queryRows(
    db,
    PartProof,
    'SELECT part, faults FROM backup_part_proofs WHERE host = $1 AND backup_id = $2 AND manifest_sha256 = $3',
    [host, id, manifestSha256],
  );
}

export interface NewPartProof {
  host: string;
  id: string;
  part: string;
  manifestSha256: string;
  faults: readonly string[];
  at: Date;
}

/** Records that a part was gone through. */
export async function savePartProof(db: Queryable, proof: NewPartProof): Promise<void> {
  await db.query(
    `INSERT INTO backup_part_proofs (host, backup_id, part, manifest_sha256, faults, checked_at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (host, backup_id, part) DO UPDATE SET
       manifest_sha256 = excluded.manifest_sha256, faults = excluded.faults, checked_at = excluded.checked_at`,
    [proof.host, proof.id, proof.part, proof.manifestSha256, toJson(proof.faults), proof.at],
  );
}

/** Forgets the parts' proofs, so that all of it is gone through again. */
export async function deletePartProofs(db: Queryable, host: string, id: string): Promise<void> {
  await db.query('DELETE FROM backup_part_proofs WHERE host = $1 AND backup_id = $2', [host, id]);
}
