// The agent's durable record: which commands it accepted, how they ended, and which reports it has not sent yet. SQLite with
// full synchronisation; each change of a command and the report about it are one transaction.
import { randomUUID } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import * as z from 'zod';
import { commandTimeMs, firstIdAt, issueTimeMs } from '#shared/command/envelope.ts';
import type { CommandId } from '#shared/names.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';

/** A signed report on its way out. */
export interface OutgoingReport {
  signed: SignedBytes;
  /** CloudEvents attributes. */
  eventId: string;
  eventType: string;
  subject: string;
}

export interface QueuedReport extends OutgoingReport {
  seq: number;
}

export type Acceptance = 'accepted' | 'duplicate' | 'id-reused';

export interface JournalledCommand {
  id: CommandId;
  signed: SignedBytes;
  /** Seq of the last step entry of the runner's record that was reported. */
  stepSeq: number;
}

export interface Journal {
  /** Takes a command once, together with the report that says so. */
  accept(id: CommandId, signed: SignedBytes, accepted: OutgoingReport | undefined, nowMs: number): Acceptance;
  /** True when the journal has this very command, whatever its state. */
  has(id: CommandId, signed: SignedBytes): boolean;
  /** Records a command's end together with its final report, which is kept to be sent again. */
  finish(id: CommandId, report: OutgoingReport, nowMs: number): void;
  /** Reports progress once per step entry. */
  progress(id: CommandId, stepSeq: number, report: OutgoingReport): void;
  /** Queues a finished command's result again; false when it is not finished. */
  repeatResult(id: CommandId): boolean;
  enqueue(report: OutgoingReport): void;
  unfinished(): JournalledCommand[];
  /** The oldest reports still to be sent. */
  queued(limit: number): QueuedReport[];
  sent(seq: number): void;
  /** Forgets commands that ended and are this much older than the newest one: the clock, which may be wrong, is not asked. */
  prune(keepMs: number): void;
  /** The newest issue time of a command that was forgotten: no command up to then may be accepted, since it may have run. */
  horizonMs(): number;
  close(): void;
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS commands (
    id TEXT PRIMARY KEY, payload BLOB NOT NULL, signature BLOB NOT NULL, key_id TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL, finished_ms INTEGER, step_seq INTEGER NOT NULL DEFAULT 0,
    result_payload BLOB, result_signature BLOB, result_key_id TEXT, result_type TEXT
  );
  CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, payload BLOB NOT NULL, signature BLOB NOT NULL, key_id TEXT NOT NULL,
    event_id TEXT NOT NULL, event_type TEXT NOT NULL, subject TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS horizon (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), issued_ms INTEGER NOT NULL);
`;

const Blob = z.instanceof(Uint8Array);
const CommandRow = z.object({
  id: z.string().transform((id) => id as CommandId),
  payload: Blob,
  signature: Blob,
  key_id: z.string(),
  step_seq: z.int(),
});
const NewestRow = z.object({
  id: z
    .string()
    .transform((id) => id as CommandId)
    .nullable(),
});
const HorizonRow = z.object({ issued_ms: z.int() });
const ResultRow = z.object({ payload: Blob, signature: Blob, key_id: z.string(), type: z.string() });
const OutboxRow = z.object({
  seq: z.int(),
  payload: Blob,
  signature: Blob,
  key_id: z.string(),
  event_id: z.string(),
  event_type: z.string(),
  subject: z.string(),
});

function prepareStatements(db: DatabaseSync) {
  const columns = 'id, payload, signature, key_id, step_seq';
  return {
    insert: db.prepare(
      'INSERT INTO commands (id, payload, signature, key_id, accepted_ms) VALUES (?, ?, ?, ?, ?)',
    ),
    find: db.prepare(`SELECT ${columns} FROM commands WHERE id = ?`),
    findOpen: db.prepare(
      `SELECT ${columns} FROM commands WHERE finished_ms IS NULL ORDER BY accepted_ms, id`,
    ),
    finish: db.prepare(
      `UPDATE commands SET finished_ms = ?, result_payload = ?, result_signature = ?, result_key_id = ?, result_type = ?
        WHERE id = ? AND finished_ms IS NULL`,
    ),
    findResult: db.prepare(
      `SELECT result_payload AS payload, result_signature AS signature, result_key_id AS key_id, result_type AS type
        FROM commands WHERE id = ? AND finished_ms IS NOT NULL`,
    ),
    advance: db.prepare('UPDATE commands SET step_seq = ? WHERE id = ? AND step_seq < ?'),
    findNewest: db.prepare('SELECT max(id) AS id FROM commands'),
    findForgettable: db.prepare(`SELECT ${columns} FROM commands WHERE finished_ms IS NOT NULL AND id < ?`),
    forget: db.prepare('DELETE FROM commands WHERE id = ?'),
    findHorizon: db.prepare('SELECT issued_ms FROM horizon'),
    raiseHorizon: db.prepare(
      `INSERT INTO horizon (only_row, issued_ms) VALUES (1, ?)
        ON CONFLICT (only_row) DO UPDATE SET issued_ms = max(issued_ms, excluded.issued_ms)`,
    ),
    enqueue: db.prepare(
      'INSERT INTO outbox (payload, signature, key_id, event_id, event_type, subject) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    findQueued: db.prepare('SELECT * FROM outbox ORDER BY seq LIMIT ?'),
    removeSent: db.prepare('DELETE FROM outbox WHERE seq = ?'),
  };
}

/** Opens the journal's file, making it when it is not there. */
export function openJournal(file: string): Journal {
  const db = new DatabaseSync(file, { timeout: 5000 });
  db.exec(SCHEMA);
  const sql = prepareStatements(db);
  const enqueue = enqueuer(sql.enqueue);
  const isSame = (id: CommandId, { payload }: SignedBytes): boolean | undefined => {
    const row = CommandRow.optional().parse(sql.find.get(id));
    return row && Buffer.compare(row.payload, payload) === 0;
  };
  return {
    accept: (id, signed, accepted, nowMs) =>
      inTransaction(db, () => {
        const known = isSame(id, signed);
        if (known !== undefined) return known ? 'duplicate' : 'id-reused';
        sql.insert.run(id, signed.payload, signed.signature, signed.keyId, nowMs);
        if (accepted) enqueue(accepted);
        return 'accepted';
      }),
    has: (id, signed) => isSame(id, signed) === true,
    finish: (id, report, nowMs) =>
      inTransaction(db, () => {
        const { payload, signature, keyId } = report.signed;
        const { changes } = sql.finish.run(nowMs, payload, signature, keyId, report.eventType, id);
        if (changes === 1) enqueue(report);
      }),
    progress: (id, stepSeq, report) =>
      inTransaction(db, () => {
        if (sql.advance.run(stepSeq, id, stepSeq).changes === 1) enqueue(report);
      }),
    repeatResult: (id) =>
      inTransaction(db, () => {
        const row = ResultRow.optional().parse(sql.findResult.get(id));
        if (!row) return false;
        const signed = { payload: row.payload, signature: row.signature, keyId: row.key_id };
        enqueue({ signed, eventId: randomUUID(), eventType: row.type, subject: id });
        return true;
      }),
    enqueue,
    unfinished: () => CommandRow.array().parse(sql.findOpen.all()).map(toCommand),
    queued: (limit) => OutboxRow.array().parse(sql.findQueued.all(limit)).map(toQueued),
    sent: (seq) => {
      sql.removeSent.run(seq);
    },
    prune: (keepMs) => inTransaction(db, () => forget(sql, keepMs)),
    horizonMs: () => HorizonRow.optional().parse(sql.findHorizon.get())?.issued_ms ?? 0,
    close: () => db.close(),
  };
}

function forget(sql: ReturnType<typeof prepareStatements>, keepMs: number): void {
  const { id: newest } = NewestRow.parse(sql.findNewest.get());
  if (newest === null) return;
  const rows = CommandRow.array().parse(sql.findForgettable.all(firstIdAt(commandTimeMs(newest) - keepMs)));
  if (rows.length === 0) return;
  sql.raiseHorizon.run(Math.max(...rows.map(({ id, payload }) => issueTimeMs(payload) ?? commandTimeMs(id))));
  for (const { id } of rows) sql.forget.run(id);
}

function enqueuer(statement: StatementSync): (report: OutgoingReport) => void {
  return ({ signed, eventId, eventType, subject }) => {
    statement.run(signed.payload, signed.signature, signed.keyId, eventId, eventType, subject);
  };
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const value = work();
    db.exec('COMMIT');
    return value;
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function toCommand(row: z.infer<typeof CommandRow>): JournalledCommand {
  const { id, payload, signature, key_id: keyId, step_seq: stepSeq } = row;
  return { id, signed: { payload, signature, keyId }, stepSeq };
}

function toQueued(row: z.infer<typeof OutboxRow>): QueuedReport {
  return {
    seq: row.seq,
    signed: { payload: row.payload, signature: row.signature, keyId: row.key_id },
    eventId: row.event_id,
    eventType: row.event_type,
    subject: row.subject,
  };
}
