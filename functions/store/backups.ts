// Backups and what is proven of them. A verification is a round: open while `round` is ahead of `proven_round`.
import * as z from 'zod';
import { BackupId, HostName } from '#shared/names.ts';
import { BackupSummary, backupRun } from '#shared/operations/backup.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';

/** `intact`: the stored bytes are those that the host signed; the dump is encrypted, so nobody here knows what it holds. */
const ProofState = z.enum(['pending', 'intact', 'verified', 'corrupt']);

export const StoredBackup = z.lazy(() =>
  z.object({
    host: HostName,
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
    round: z.number(),
    isRoundOpen: z.boolean(),
  }),
);
export type StoredBackup = z.infer<typeof StoredBackup>;

const COLUMNS = `host, id, database, started_at AS "startedAt", finished_at AS "finishedAt", bytes, tables, rows,
  proof_state AS "proofState", proof_at AS "proofAt", faults, round, round > proven_round AS "isRoundOpen"`;

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

/** A backup's key. */
export interface BackupKey {
  host: string;
  id: string;
}

/** Keeps a backup once, with its first round open; what was known of it stays. */
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
    `SELECT ${COLUMNS} FROM backups ORDER BY finished_at DESC, id DESC LIMIT $1`,
    [limit],
  );
}

/** The end of a `backup.run` whose upload failed. */
const HeldBackup = z.lazy(() => z.object({ host: HostName, result: BackupSummary }));
export type HeldBackup = z.infer<typeof HeldBackup>;

/** Backups that are whole on their hosts and of which the bucket has nothing that counts, the newest first. */
export async function listHeldBackups(db: Queryable, limit: number): Promise<HeldBackup[]> {
  return await queryRows(
    db,
    HeldBackup,
    `SELECT host, result FROM commands c
     WHERE operation = $2 AND state = 'failed' AND code = 'not-uploaded' AND result IS NOT NULL
       AND NOT EXISTS (SELECT FROM backups b WHERE b.host = c.host AND b.id = c.result->>'backupId')
     ORDER BY requested_at DESC, c.id DESC LIMIT $1`,
    [limit, backupRun.name],
  );
}

/** Backups with this id, of whatever host. */
export async function findBackupsById(db: Queryable, id: string): Promise<StoredBackup[]> {
  return await queryRows(db, StoredBackup, `SELECT ${COLUMNS} FROM backups WHERE id = $1 ORDER BY host`, [
    id,
  ]);
}

/** The backup, or undefined when it is not known. */
export async function findBackup(db: Queryable, { host, id }: BackupKey): Promise<StoredBackup | undefined> {
  return await queryRow(db, StoredBackup, `SELECT ${COLUMNS} FROM backups WHERE host = $1 AND id = $2`, [
    host,
    id,
  ]);
}

/** A host's newest backup of which at least so much was proven. */
export async function latestProvenBackup(
  db: Queryable,
  host: string,
  least: 'intact' | 'verified',
): Promise<StoredBackup | undefined> {
  const enough = least === 'intact' ? ['intact', 'verified'] : ['verified'];
  return await queryRow(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups WHERE host = $1 AND proof_state = ANY($2) ORDER BY finished_at DESC LIMIT 1`,
    [host, enough],
  );
}

/** The backups that a daily round goes through again: each host's newest, and those whose round was never closed. */
export async function listDueBackups(db: Queryable): Promise<StoredBackup[]> {
  return await queryRows(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups b WHERE round > proven_round
       OR id = (SELECT n.id FROM backups n WHERE n.host = b.host ORDER BY n.finished_at DESC, n.id DESC LIMIT 1)
     ORDER BY host, id`,
  );
}

/** Opens a round unless one is open. */
export async function openRound(db: Queryable, { host, id }: BackupKey, now: Date): Promise<void> {
  await db.query(
    `UPDATE backups SET round = round + 1, ordered_at = $3
     WHERE host = $1 AND id = $2 AND round = proven_round`,
    [host, id, now],
  );
}

/**
 * Takes those whose round is open, that nobody is at, and that nobody asked for since a time; each counts as asked for
 * now. A host's clock that is ahead of ours does not count.
 */
export async function claimOverdueBackups(
  db: Queryable,
  { now, orderedBefore }: { now: Date; orderedBefore: Date },
): Promise<StoredBackup[]> {
  return await queryRows(
    db,
    StoredBackup,
    `UPDATE backups SET ordered_at = $1
     WHERE round > proven_round AND (lease_until IS NULL OR lease_until < $1)
       AND (coalesce(ordered_at, finished_at) <= $2 OR coalesce(ordered_at, finished_at) > $1)
     RETURNING ${COLUMNS}`,
    [now, orderedBefore],
  );
}

export interface Lease extends BackupKey {
  owner: string;
  now: Date;
  until: Date;
}

/** Takes, or keeps, the right to verify a backup until a time; false while somebody else has it. */
export async function holdLease(db: Queryable, { host, id, owner, now, until }: Lease): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE backups SET lease_owner = $3, lease_until = $5
     WHERE host = $1 AND id = $2 AND (lease_until IS NULL OR lease_until < $4 OR lease_owner = $3)`,
    [host, id, owner, now, until],
  );
  return rowCount === 1;
}

/** Gives the right back. */
export async function releaseLease(
  db: Queryable,
  { host, id, owner }: BackupKey & { owner: string },
): Promise<void> {
  await db.query(
    'UPDATE backups SET lease_owner = NULL, lease_until = NULL WHERE host = $1 AND id = $2 AND lease_owner = $3',
    [host, id, owner],
  );
}

export interface Proof extends BackupKey {
  owner: string;
  round: number;
  state: 'intact' | 'verified' | 'corrupt';
  at: Date;
  faults: readonly string[];
  manifestSha256: string | null;
}

/** Closes a round with what it found; false when the lease was lost or the round was closed meanwhile. */
export async function saveProof(db: Queryable, proof: Proof): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE backups SET proof_state = $5, proof_at = $6, faults = $7, manifest_sha256 = $8, proven_round = $4
     WHERE host = $1 AND id = $2 AND lease_owner = $3 AND round = $4 AND proven_round < $4`,
    [
      proof.host,
      proof.id,
      proof.owner,
      proof.round,
      proof.state,
      proof.at,
      toJson(proof.faults),
      proof.manifestSha256,
    ],
  );
  return rowCount === 1;
}
