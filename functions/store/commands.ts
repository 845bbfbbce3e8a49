// Commands: what was asked for, by whom, and how it ended.
import * as z from 'zod';
import type { CommandView } from '#shared/api/views.ts';
import { Actor } from '#shared/command/envelope.ts';
import { OutcomeCode, StepRecord } from '#shared/command/report.ts';
import { CommandState, EndSigner } from '#shared/command/state.ts';
import { CommandId } from '#shared/names.ts';
import { addStateEvent } from './command-events.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { asStored, toJson } from './json.ts';
import type { Outbox } from './outbox.ts';

export interface NewCommand {
  id: CommandId;
  operation: string;
  host: string;
  params: Record<string, unknown>;
  dryRun: boolean;
  actor: Actor;
  idempotencyKey: string | null;
  orderDigest: string;
  incident: string | null;
  requestedAt: Date;
  expiresAt: Date;
  timeoutMs: number;
  /** When `sign` is asked for it again, should it not be signed by then. */
  nextPublishAt: Date;
}

const CommandRow = z.lazy(() =>
  z.object({
    id: CommandId,
    operation: z.string(),
    host: z.string(),
    params: z.record(z.string(), z.unknown()),
    dryRun: z.boolean(),
    actor: Actor,
    orderDigest: z.string(),
    state: CommandState,
    code: OutcomeCode.nullable(),
    message: z.string().nullable(),
    hint: z.string().nullable(),
    result: z.unknown(),
    steps: z.array(StepRecord),
    output: z.array(z.string()),
    requestedAt: z.date(),
    expiresAt: z.date(),
    timeoutMs: z.number(),
    sentAt: z.date().nullable(),
    acceptedAt: z.date().nullable(),
    finishedAt: z.date().nullable(),
    swept: z.boolean(),
    endedBy: EndSigner.nullable(),
    isSigned: z.boolean(),
  }),
);
/** A command as it stands in the store. */
export type CommandRecord = z.infer<typeof CommandRow>;

const COLUMNS = `id, operation, host, params, dry_run AS "dryRun",
  jsonb_build_object('kind', actor_kind, 'name', actor_name, 'role', actor_role) AS actor,
  order_digest AS "orderDigest", state, code, message, hint, result, steps, output, requested_at AS "requestedAt",
  expires_at AS "expiresAt", timeout_ms AS "timeoutMs", sent_at AS "sentAt", accepted_at AS "acceptedAt",
  finished_at AS "finishedAt", swept, ended_by AS "endedBy", key_id IS NOT NULL AS "isSigned"`;

/** The name under which PostgreSQL notifies listeners of a changed command. */
export const COMMAND_NOTIFICATION = 'command';

/** Stores a new command; false when its actor already used the idempotency key. */
export async function insertCommand(tx: Queryable, command: NewCommand): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO commands (id, operation, host, params, dry_run, actor_kind, actor_name, actor_role,
       idempotency_key, order_digest, incident, state, requested_at, expires_at, timeout_ms, next_publish_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'requested', $12, $13, $14, $15)
     ON CONFLICT (actor_kind, actor_name, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`,
    [
      command.id,
      command.operation,
      command.host,
      toJson(command.params),
      command.dryRun,
      command.actor.kind,
      command.actor.name,
      command.actor.role,
      command.idempotencyKey,
      command.orderDigest,
      command.incident,
      command.requestedAt,
      command.expiresAt,
      command.timeoutMs,
      command.nextPublishAt,
    ],
  );
  if (rowCount === 0) return false;
  await addStateEvent(tx, command.id, { state: 'requested', at: command.requestedAt });
  return true;
}

/** The command that this actor asked for with the key. */
export async function findByIdempotencyKey(
  db: Queryable,
  actor: Actor,
  key: string,
): Promise<CommandRecord | undefined> {
  return await queryRow(
    db,
    CommandRow,
    `SELECT ${COLUMNS} FROM commands WHERE actor_kind = $1 AND actor_name = $2 AND idempotency_key = $3`,
    [actor.kind, actor.name, key],
  );
}

/** A command by its id. */
export async function findCommand(db: Queryable, id: string): Promise<CommandRecord | undefined> {
  return await queryRow(db, CommandRow, `SELECT ${COLUMNS} FROM commands WHERE id = $1`, [id]);
}

/** People see the last characters of an id. */
const SHORT_ID_LENGTH = 8;

/** Ids that begin or end with `part`, or whose short form begins with it; at most `limit`, the newest first. */
export async function findCommandIds(db: Queryable, part: string, limit: number): Promise<CommandId[]> {
  const rows = await queryRows(
    db,
    z.object({ id: CommandId }),
    `SELECT id FROM commands WHERE starts_with(id::text, $1) OR right(id::text, length($1)) = $1
       OR starts_with(right(id::text, ${SHORT_ID_LENGTH}), $1)
     ORDER BY requested_at DESC, id DESC LIMIT $2`,
    [part, limit],
  );
  return rows.map(({ id }) => id);
}

/** A command by its id, locked until the transaction ends. */
export async function lockCommand(tx: Queryable, id: string): Promise<CommandRecord | undefined> {
  return await queryRow(tx, CommandRow, `SELECT ${COLUMNS} FROM commands WHERE id = $1 FOR UPDATE`, [id]);
}

/** The newest commands first. */
export async function listCommands(db: Queryable, limit: number): Promise<CommandRecord[]> {
  return await queryRows(
    db,
    CommandRow,
    `SELECT ${COLUMNS} FROM commands ORDER BY requested_at DESC, id DESC LIMIT $1`,
    [limit],
  );
}

/** The outbox of commands that `sign` must still be asked for. */
export const COMMAND_OUTBOX: Outbox<{ host: string; id: string }> = {
  table: 'commands',
  key: ['host', 'id'],
  stateColumn: 'state',
  waiting: ['requested'],
  isLeased: false,
};

/** Ids of commands in one of the states, the oldest first. */
export async function listCommandsIn(db: Queryable, states: readonly CommandState[]): Promise<CommandId[]> {
  const rows = await queryRows(
    db,
    z.object({ id: CommandId }),
    'SELECT id FROM commands WHERE state = ANY($1) ORDER BY requested_at LIMIT 500',
    [states],
  );
  return rows.map(({ id }) => id);
}

const SignedRow = z.lazy(() =>
  z.object({
    payload: z.instanceof(Buffer).nullable(),
    signature: z.instanceof(Buffer).nullable(),
    keyId: z.string().nullable(),
  }),
);

/** A command's signed bytes, or undefined before it was signed. */
export async function findSignedBytes(
  db: Queryable,
  id: string,
): Promise<{ payload: Buffer; signature: Buffer; keyId: string } | undefined> {
  const row = await queryRow(
    db,
    SignedRow,
    'SELECT payload, signature, key_id AS "keyId" FROM commands WHERE id = $1',
    [id],
  );
  if (!row?.payload || !row.signature || row.keyId === null) return undefined;
  return { payload: row.payload, signature: row.signature, keyId: row.keyId };
}

/** Stores the signed bytes, so that a retry sends the same bytes. */
export async function saveSignedBytes(
  tx: Queryable,
  id: string,
  signed: { payload: Uint8Array; signature: Uint8Array; keyId: string },
): Promise<void> {
  await tx.query('UPDATE commands SET payload = $2, signature = $3, key_id = $4 WHERE id = $1', [
    id,
    Buffer.from(signed.payload),
    Buffer.from(signed.signature),
    signed.keyId,
  ]);
}

/** Stores the key id of a command whose bytes are not kept. */
export async function saveSigningKey(tx: Queryable, id: string, keyId: string): Promise<void> {
  await tx.query('UPDATE commands SET key_id = $2 WHERE id = $1', [id, keyId]);
}

/** The columns that change when a command reaches a stage. */
export type StageRow = Pick<
  CommandRecord,
  'state' | 'swept' | 'endedBy' | 'sentAt' | 'acceptedAt' | 'finishedAt'
> & {
  code?: OutcomeCode | undefined;
  message?: string | undefined;
  hint?: string | undefined;
  result?: unknown;
  steps?: readonly StepRecord[] | undefined;
  output?: readonly string[] | undefined;
};

/** Stores the stage of a locked command, with the report's details. */
export async function writeStage(tx: Queryable, id: string, row: StageRow): Promise<void> {
  await tx.query(
    `UPDATE commands SET state = $2, swept = $3, ended_by = $4, sent_at = $5, accepted_at = $6, finished_at = $7,
       code = $8, message = $9, hint = $10, result = $11, steps = $12, output = $13
     WHERE id = $1`,
    [
      id,
      row.state,
      row.swept,
      row.endedBy,
      row.sentAt,
      row.acceptedAt,
      row.finishedAt,
      row.code ?? null,
      asStored(row.message ?? null),
      asStored(row.hint ?? null),
      row.result === undefined ? null : toJson(row.result),
      toJson(row.steps ?? []),
      toJson(row.output ?? []),
    ],
  );
}

/** Wakes those who wait for the command, when the transaction commits. */
export async function announceCommand(tx: Queryable, id: string): Promise<void> {
  await tx.query('SELECT pg_notify($1, $2)', [COMMAND_NOTIFICATION, id]);
}

/** The parameters without what only the host is allowed to know: the agent's half of a live ticket. */
export function shownParams(params: Record<string, unknown>): Record<string, unknown> {
  return 'ticket' in params ? { ...params, ticket: '[REDACTED]' } : params;
}

/** A version as the API shows it. */
export function toCommandView(record: CommandRecord): CommandView {
  const { id, operation, host, params, dryRun, actor, state, code, message, hint, steps, output } = record;
  return {
    id,
    operation,
    host,
    params: shownParams(params),
    dryRun,
    actor,
    state,
    code,
    message,
    hint,
    steps,
    output,
    result: record.result ?? null,
    requestedAt: record.requestedAt.toISOString(),
    expiresAt: record.expiresAt.toISOString(),
    finishedAt: record.finishedAt?.toISOString() ?? null,
  };
}
