// The outbox of alerts: one row for each event and recipient. A row is sent under a lease; alert/delivery-state.ts says what
// leads from one state to another.
import * as z from 'zod';
import { CommandId } from '#shared/names.ts';
import { DeliveryState } from '#shared/states.ts';
import { DELIVERY_MOVES } from '../alert/delivery-state.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { GIVING_BACK, isFree, isHeldBy, type Lease, taking } from './lease.ts';
import type { Outbox } from './outbox.ts';

/** `undelivered`: the alert goes to another recipient, since the first one could not be reached. */
export const AlertEvent = z.enum(['firing', 'resolved', 'undelivered']);
export type AlertEvent = z.infer<typeof AlertEvent>;

export const Delivery = z.lazy(() =>
  z.object({
    id: z.string(),
    alertId: z.string(),
    event: AlertEvent,
    channel: z.string(),
    /** A mail address; empty for a channel that has only itself. */
    recipient: z.string(),
    note: z.string().nullable(),
    state: DeliveryState,
    attempts: z.number(),
    /** How many commands ended without having written its line. */
    lostCommands: z.number(),
    createdAt: z.date(),
    deliveredAt: z.date().nullable(),
    receipt: z.string().nullable(),
    lastError: z.string().nullable(),
  }),
);
export type Delivery = z.infer<typeof Delivery>;

const COLUMNS = `id, alert_id AS "alertId", event, channel, recipient, note, state, attempts,
  lost_commands AS "lostCommands", created_at AS "createdAt", delivered_at AS "deliveredAt", receipt, last_error AS "lastError"`;

export interface NewDelivery {
  id: string;
  alertId: string;
  event: AlertEvent;
  channel: string;
  recipient: string;
  note: string | null;
  createdAt: Date;
  nextPublishAt: Date;
}

/** Adds a delivery in the transaction that changed the alert; false when its recipient already has one of this event. */
export async function insertDelivery(tx: Queryable, delivery: NewDelivery): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO deliveries (id, alert_id, event, channel, recipient, note, state, created_at, next_publish_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8)
     ON CONFLICT (alert_id, event, channel, recipient) DO NOTHING`,
    [
      delivery.id,
      delivery.alertId,
      delivery.event,
      delivery.channel,
      delivery.recipient,
      delivery.note,
      delivery.createdAt,
      delivery.nextPublishAt,
    ],
  );
  return rowCount === 1;
}

/** The outbox of deliveries: those whose message should have led to something by now. */
export const DELIVERY_OUTBOX: Outbox<{ id: string }> = {
  table: 'deliveries',
  key: ['id'],
  stateColumn: 'state',
  waiting: DELIVERY_MOVES.attempted.from,
  isLeased: true,
};

/** Takes a pending delivery for sending; undefined when it has ended, another holds it, or it does not exist. */
export async function leaseDelivery(db: Queryable, id: string, lease: Lease): Promise<Delivery | undefined> {
  return await queryRow(
    db,
    Delivery,
    `UPDATE deliveries SET ${taking('$2', '$4')}, attempts = attempts + 1
     WHERE id = $1 AND state = ANY ($5) AND ${isFree('$3')}
     RETURNING ${COLUMNS}`,
    [id, lease.holder, lease.now, lease.until, DELIVERY_MOVES.attempted.from],
  );
}

export async function findDelivery(db: Queryable, id: string): Promise<Delivery | undefined> {
  return await queryRow(db, Delivery, `SELECT ${COLUMNS} FROM deliveries WHERE id = $1`, [id]);
}

/** Marks a delivery as delivered, also when the lease was lost meanwhile. The first receipt stays. */
export async function markDelivered(
  db: Queryable,
  id: string,
  outcome: { deliveredAt: Date; receipt: string },
): Promise<void> {
  const { from, to } = DELIVERY_MOVES.delivered;
  await db.query(
    `UPDATE deliveries SET state = $5, delivered_at = $2, receipt = $3, last_error = NULL,
       command_id = NULL, ${GIVING_BACK}
     WHERE id = $1 AND state = ANY ($4)`,
    [id, outcome.deliveredAt, outcome.receipt, from, to],
  );
}

/** Marks a delivery as failed for good; true when this call did it. */
export async function markFailed(
  tx: Queryable,
  id: string,
  { holder }: Pick<Lease, 'holder'>,
  error: string,
): Promise<boolean> {
  const { from, to } = DELIVERY_MOVES['given-up'];
  const { rowCount } = await tx.query(
    `UPDATE deliveries SET state = $5, last_error = $3, ${GIVING_BACK}
     WHERE id = $1 AND ${isHeldBy('$2')} AND state = ANY ($4)`,
    [id, holder, error, from, to],
  );
  return rowCount > 0;
}

/** Gives a delivery back after an attempt that may work later. */
export async function releaseDelivery(
  db: Queryable,
  id: string,
  { holder }: Pick<Lease, 'holder'>,
  error: string,
): Promise<void> {
  await db.query(
    `UPDATE deliveries SET last_error = $3, ${GIVING_BACK}
     WHERE id = $1 AND ${isHeldBy('$2')} AND state = ANY ($4)`,
    [id, holder, error, DELIVERY_MOVES.attempted.from],
  );
}

/** Marks a delivery as handed to a command, whose end decides. False when the lease was lost or the delivery ended. */
export async function markSent(
  db: Queryable,
  id: string,
  { holder }: Pick<Lease, 'holder'>,
  handed: { commandId: CommandId; receipt: string },
): Promise<boolean> {
  const { from, to } = DELIVERY_MOVES['handed-over'];
  const { rowCount } = await db.query(
    `UPDATE deliveries SET state = $6, command_id = $3, receipt = $4, ${GIVING_BACK}
     WHERE id = $1 AND ${isHeldBy('$2')} AND state = ANY ($5)`,
    [id, holder, handed.commandId, handed.receipt, from, to],
  );
  return rowCount === 1;
}

/** Commands that have ended while their deliveries still wait for them. */
export async function listEndedCommandsOfDeliveries(
  db: Queryable,
  settled: readonly string[],
  limit: number,
): Promise<CommandId[]> {
  const rows = await queryRows(
    db,
    z.object({ id: CommandId }),
    `SELECT c.id FROM deliveries d JOIN commands c ON c.id = d.command_id
     WHERE d.state = ANY ($3) AND c.state = ANY ($1) ORDER BY d.created_at LIMIT $2`,
    [settled, limit, DELIVERY_MOVES.lost.from],
  );
  return rows.map(({ id }) => id);
}

/** The delivery that waits for this command, locked. */
export async function lockDeliveryOfCommand(
  tx: Queryable,
  commandId: CommandId,
): Promise<Delivery | undefined> {
  return await queryRow(
    tx,
    Delivery,
    `SELECT ${COLUMNS} FROM deliveries WHERE command_id = $1 AND state = ANY ($2) FOR UPDATE`,
    [commandId, DELIVERY_MOVES.lost.from],
  );
}

/** Marks a locked delivery whose command did not write the line: retried at `retryAt`, or given up without it. */
export async function markLost(
  tx: Queryable,
  id: string,
  { error, retryAt }: { error: string; retryAt: Date | undefined },
): Promise<void> {
  const { from, to } = DELIVERY_MOVES[retryAt ? 'retried' : 'lost'];
  await tx.query(
    `UPDATE deliveries SET lost_commands = lost_commands + 1, last_error = $2, command_id = NULL, receipt = NULL,
       next_publish_at = coalesce($3, next_publish_at), state = $5
     WHERE id = $1 AND state = ANY ($4)`,
    [id, error, retryAt ?? null, from, to],
  );
}

/** The deliveries of these alerts, in the order they were made. */
export async function listDeliveries(db: Queryable, alertIds: readonly string[]): Promise<Delivery[]> {
  return await queryRows(
    db,
    Delivery,
    `SELECT ${COLUMNS} FROM deliveries WHERE alert_id = ANY ($1::uuid[]) ORDER BY created_at, event, channel, recipient`,
    [alertIds],
  );
}
