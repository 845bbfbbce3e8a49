// The audit trail: append-only, each row with the hash of the one before, so that no row can be changed, removed or
// inserted unnoticed. The table's triggers forbid updates and deletes.
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { AuditView } from '#shared/api/views.ts';
import { writeDetail } from './audit-detail.ts';
import { type Queryable, queryRow } from './database.ts';

export interface AuditEntry {
  at: Date;
  /** `kind:name`, e.g. `token:alice`. */
  actor: string;
  action: string;
  target: string | null;
  /** Never a secret; cut when it is large (audit-detail.ts). */
  detail: Record<string, unknown>;
}

/** The lock of the chain: one writer at a time, until its transaction ends. */
const LOCK_KEY = 7_261_947;
const GENESIS = Buffer.alloc(32);

const AuditRow = z.lazy(() =>
  z.object({
    seq: z.number(),
    at: z.date(),
    actor: z.string(),
    action: z.string(),
    target: z.string().nullable(),
    detail: z.string(),
    prevHash: z.instanceof(Buffer),
    hash: z.instanceof(Buffer),
  }),
);
type AuditRow = z.infer<typeof AuditRow>;

/** What is shown of an entry that can't be read, for example one with a time that JavaScript has no date for. */
const UnreadableRow = z.lazy(() =>
  AuditRow.unwrap().pick({ seq: true, actor: true, action: true, target: true }),
);
const UNREADABLE = "it can't be read";

const COLUMNS = 'seq, at, actor, action, target, detail::text AS detail, prev_hash AS "prevHash", hash';

/** SHA-256 over the row's fields as one JSON array, with the detail as its stored text. */
function hashOf(row: Omit<AuditRow, 'hash'>): Buffer {
  const { seq, at, actor, action, target, detail, prevHash } = row;
  const text = JSON.stringify([
    seq,
    at.toISOString(),
    actor,
    action,
    target,
    detail,
    prevHash.toString('hex'),
  ]);
  return createHash('sha256').update(text).digest();
}

const Tail = z.lazy(() => z.object({ seq: z.number(), hash: z.instanceof(Buffer) }));

/** Appends an entry. Call it last in a transaction: until the transaction ends, nobody else can append. */
export async function appendAudit(tx: Queryable, entry: AuditEntry): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
  const tail = await queryRow(tx, Tail, 'SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1');
  const row = {
    ...entry,
    seq: (tail?.seq ?? 0) + 1,
    detail: writeDetail(entry.detail),
    prevHash: tail?.hash ?? GENESIS,
  };
  await tx.query(
    `INSERT INTO audit (seq, at, actor, action, target, detail, prev_hash, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [row.seq, row.at, row.actor, row.action, row.target, row.detail, row.prevHash, hashOf(row)],
  );
}

export type ChainVerdict = { intact: true; entries: number } | { intact: false; seq: number; fault: string };

const BATCH = 1000;

/** Gets each entry whose hash follows from the one before, in order. */
export type EntryWitness = (entry: { seq: number; hash: Buffer }) => void;

/** Reads the whole trail and returns its first broken entry, if any; the witness gets the entries before it. */
export async function verifyAuditChain(
  db: Queryable,
  witness: EntryWitness = () => undefined,
): Promise<ChainVerdict> {
  let prevHash: Buffer = GENESIS;
  let seq = 0;
  for (;;) {
    const { rows } = await db.query(
      `SELECT ${COLUMNS} FROM audit WHERE seq > $1 ORDER BY seq LIMIT ${BATCH}`,
      [seq],
    );
    for (const raw of rows) {
      // An entry that can't be read must not end the check of all other entries.
      const row = readRow(raw);
      if (!row) return { intact: false, seq: seq + 1, fault: UNREADABLE };
      if (row.seq !== seq + 1) return { intact: false, seq: seq + 1, fault: 'the entry is missing' };
      if (!row.prevHash.equals(prevHash)) {
        return { intact: false, seq: row.seq, fault: 'it does not follow the entry before' };
      }
      if (!row.hash.equals(hashOf(row))) return { intact: false, seq: row.seq, fault: 'it was changed' };
      witness(row);
      seq = row.seq;
      prevHash = row.hash;
    }
    if (rows.length < BATCH) return { intact: true, entries: seq };
  }
}

/** The entry as it is in the table; undefined when it holds what no entry of ours can hold. */
function readRow(raw: unknown): AuditRow | undefined {
  const row = AuditRow.safeParse(raw).data;
  return row && readView(row) ? row : undefined;
}

function readView(row: AuditRow): AuditView | undefined {
  const detail: unknown = JSON.parse(row.detail);
  return AuditView.safeParse({ ...row, at: row.at.toISOString(), detail }).data;
}

function toView(raw: unknown): AuditView {
  const row = AuditRow.safeParse(raw).data;
  return (row && readView(row)) ?? { ...UnreadableRow.parse(raw), at: null, detail: { fault: UNREADABLE } };
}

/** The newest entries first. */
export async function listAudit(
  db: Queryable,
  filter: { action?: string | undefined; target?: string | undefined; limit: number },
): Promise<AuditView[]> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM audit
     WHERE ($1::text IS NULL OR action = $1) AND ($2::text IS NULL OR target = $2)
     ORDER BY seq DESC LIMIT $3`,
    [filter.action ?? null, filter.target ?? null, filter.limit],
  );
  return rows.map(toView);
}

/** The entry of an action on a target whose own hash holds, or undefined: none, or it was changed or can't be read. */
export async function findIntactAudit(
  db: Queryable,
  action: string,
  target: string,
): Promise<AuditView | undefined> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM audit WHERE target = $2 AND action = $1 ORDER BY seq LIMIT 1`,
    [action, target],
  );
  const row = readRow(rows[0]);
  return row?.hash.equals(hashOf(row)) ? toView(row) : undefined;
}

/** True when a report with this id is already in the trail under the action. */
export async function isReportAudited(db: Queryable, action: string, reportId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT 1 FROM audit WHERE action = $1 AND detail ->> 'reportId' = $2 LIMIT 1`,
    [action, reportId],
  );
  return rowCount > 0;
}
