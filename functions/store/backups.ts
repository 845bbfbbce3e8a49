// Backups and their proofs, in rounds of verification (backup/state.ts).
import * as z from 'zod';
import { BackupId, HostName } from '#shared/names.ts';
import { BackupSummary, backupRun } from '#shared/operations/backup.ts';
import { ProofState } from '#shared/states.ts';
import { AT_LEAST, type Proof, VERIFICATION_MOVES, VERIFICATION_STATES } from '../backup/state.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';
import { GIVING_BACK, isFree, isHeldBy, type Lease, taking } from './lease.ts';
import type { Outbox } from './outbox.ts';

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
    /** The number of the latest round. */
    round: z.number(),
    verificationState: z.enum(VERIFICATION_STATES),
  }),
);
export type StoredBackup = z.infer<typeof StoredBackup>;

const COLUMNS = `host, id, database, started_at AS "startedAt", finished_at AS "finishedAt", bytes, tables, rows,
  proof_state AS "proofState", proof_at AS "proofAt", faults, round, verification_state AS "verificationState"`;

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
  /** When its verification is ordered again if it has not ended. */
  nextPublishAt: Date;
}

/** A backup's key. */
export interface BackupKey {
  host: string;
  id: string;
}

/** Stores a backup with its first round open; a backup that is known already stays as it is. */
export async function insertBackup(db: Queryable, backup: NewBackup): Promise<void> {
  await db.query(
    `INSERT INTO backups (host, id, database, command_id, started_at, finished_at, bytes, tables, rows,
       next_publish_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (host, id) DO NOTHING`,
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
      backup.nextPublishAt,
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

/** Backups that are complete on their hosts and not in the bucket, the newest first. */
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

/** Backups with this id, of any host. */
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

/** A host's newest backup with at least this proof. */
export async function latestProvenBackup(
  db: Queryable,
  host: string,
  least: keyof typeof AT_LEAST,
): Promise<StoredBackup | undefined> {
  return await queryRow(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups WHERE host = $1 AND proof_state = ANY($2) ORDER BY finished_at DESC LIMIT 1`,
    [host, AT_LEAST[least]],
  );
}

/** The backups that a daily round verifies again: each host's newest, and those whose round was never closed. */
export async function listDueBackups(db: Queryable): Promise<StoredBackup[]> {
  return await queryRows(
    db,
    StoredBackup,
    `SELECT ${COLUMNS} FROM backups b WHERE verification_state = $1
       OR id = (SELECT n.id FROM backups n WHERE n.host = b.host ORDER BY n.finished_at DESC, n.id DESC LIMIT 1)
     ORDER BY host, id`,
    [VERIFICATION_MOVES.ordered.to],
  );
}

/** Opens a round unless one is open. */
export async function openRound(db: Queryable, { host, id }: BackupKey, nextPublishAt: Date): Promise<void> {
  const { from, to } = VERIFICATION_MOVES.ordered;
  await db.query(
    `UPDATE backups SET round = round + 1, next_publish_at = $3, verification_state = $5
     WHERE host = $1 AND id = $2 AND verification_state = ANY ($4)`,
    [host, id, nextPublishAt, from, to],
  );
}

/** The outbox of verifications: backups whose round is open. */
export const VERIFICATION_OUTBOX: Outbox<BackupKey & Record<string, string>> = {
  table: 'backups',
  key: ['host', 'id'],
  stateColumn: 'verification_state',
  waiting: [VERIFICATION_MOVES.ordered.to],
  isLeased: true,
};

/** Takes or renews the lease of a backup's verification; false while another instance holds it. */
export async function holdLease(
  db: Queryable,
  { host, id }: BackupKey,
  { holder, now, until }: Lease,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE backups SET ${taking('$3', '$5')}
     WHERE host = $1 AND id = $2 AND (${isFree('$4')} OR ${isHeldBy('$3')})`,
    [host, id, holder, now, until],
  );
  return rowCount === 1;
}

/** Gives the lease back. */
export async function releaseLease(
  db: Queryable,
  { host, id }: BackupKey,
  { holder }: Pick<Lease, 'holder'>,
): Promise<void> {
  await db.query(`UPDATE backups SET ${GIVING_BACK} WHERE host = $1 AND id = $2 AND ${isHeldBy('$3')}`, [
    host,
    id,
    holder,
  ]);
}

export interface RoundFinding extends BackupKey {
  lease: Pick<Lease, 'holder'>;
  round: number;
  proof: Proof;
  at: Date;
  faults: readonly string[];
  manifestSha256: string | null;
}

/** Closes a round with its finding; false when the lease was lost or the round was closed meanwhile. */
export async function closeRound(db: Queryable, found: RoundFinding): Promise<boolean> {
  const { from, to } = VERIFICATION_MOVES[`found-${found.proof}`];
  const { rowCount } = await db.query(
    `UPDATE backups SET verification_state = $5, proof_state = $5, proof_at = $6, faults = $7, manifest_sha256 = $8
     WHERE host = $1 AND id = $2 AND ${isHeldBy('$3')} AND round = $4 AND verification_state = ANY ($9)`,
    [
      found.host,
      found.id,
      found.lease.holder,
      found.round,
      to,
      found.at,
      toJson(found.faults),
      found.manifestSha256,
      from,
    ],
  );
  return rowCount === 1;
}
