// The outbox of alerts: one row for each event and channel. A row is sent under a lease and settled once.
import { z } from 'zod';
import { type Queryable, queryRow, queryRows } from './database.ts';

export const AlertEvent = z.enum(['firing', 'resolved']);
export type AlertEvent = z.infer<typeof AlertEvent>;

export const Delivery = z.object({
  id: z.string(),
  alertId: z.string(),
  event: AlertEvent,
  channel: z.string(),
  state: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.number(),
  createdAt: z.date(),
  deliveredAt: z.date().nullable(),
  receipt: z.string().nullable(),
  lastError: z.string().nullable(),
});
export type Delivery = z.infer<typeof Delivery>;

const COLUMNS = `id, alert_id AS "alertId", event, channel, state, attempts, created_at AS "createdAt",
  delivered_at AS "deliveredAt", receipt, last_error AS "lastError"`;

export interface NewDelivery {
  id: string;
  alertId: string;
  event: AlertEvent;
  channel: string;
  createdAt: Date;
  nextPublishAt: Date;
}

/** Adds a delivery in the transaction that changed the alert. */
export async function insertDelivery(tx: Queryable, delivery: NewDelivery): Promise<void> {
  await tx.query(
    `INSERT INTO deliveries (id, alert_id, event, channel, state, created_at, next_publish_at)
     VALUES ($1, $2, $3, $4, 'pending', $5, $6)`,
    [
      delivery.id,
      delivery.alertId,
      delivery.event,
      delivery.channel,
      delivery.createdAt,
      delivery.nextPublishAt,
    ],
  );
}

/** Says when a delivery's message goes out again, should it still be pending then. */
export async function postponePublishing(db: Queryable, id: string, nextPublishAt: Date): Promise<void> {
  await db.query(`UPDATE deliveries SET next_publish_at = $2 WHERE id = $1 AND state = 'pending'`, [
    id,
    nextPublishAt,
  ]);
}

/** Takes pending deliveries whose message should have led to something by now, each for one caller. */
export async function claimOverdueDeliveries(
  db: Queryable,
  terms: { now: Date; nextPublishAt: Date; limit: number },
): Promise<string[]> {
  const rows = await queryRows(
    db,
    z.object({ id: z.string() }),
    `UPDATE deliveries SET next_publish_at = $2
     WHERE id IN (
       SELECT id FROM deliveries WHERE state = 'pending' AND next_publish_at <= $1
       ORDER BY next_publish_at LIMIT $3 FOR UPDATE SKIP LOCKED)
     RETURNING id`,
    [terms.now, terms.nextPublishAt, terms.limit],
  );
  return rows.map(({ id }) => id);
}

/** Takes a pending delivery for sending; undefined when it is settled, held by another, or not there. */
export async function leaseDelivery(
  db: Queryable,
  id: string,
  lease: { leaseId: string; now: Date; leasedUntil: Date },
): Promise<Delivery | undefined> {
  return await queryRow(
    db,
    Delivery,
    `UPDATE deliveries SET lease_id = $2, leased_until = $4, attempts = attempts + 1
     WHERE id = $1 AND state = 'pending' AND (leased_until IS NULL OR leased_until <= $3)
     RETURNING ${COLUMNS}`,
    [id, lease.leaseId, lease.now, lease.leasedUntil],
  );
}

export async function findDelivery(db: Queryable, id: string): Promise<Delivery | undefined> {
  return await queryRow(db, Delivery, `SELECT ${COLUMNS} FROM deliveries WHERE id = $1`, [id]);
}

/** Marks a delivery as delivered. It was sent, whoever holds the lease by now: the first receipt stays. */
export async function markDelivered(
  db: Queryable,
  id: string,
  outcome: { deliveredAt: Date; receipt: string },
): Promise<void> {
  await db.query(
    `UPDATE deliveries SET state = 'delivered', delivered_at = $2, receipt = $3, last_error = NULL,
       lease_id = NULL, leased_until = NULL
     WHERE id = $1 AND state <> 'delivered'`,
    [id, outcome.deliveredAt, outcome.receipt],
  );
}

/** Marks a delivery as failed for good; true when this call did it. */
export async function markFailed(
  tx: Queryable,
  id: string,
  leaseId: string,
  error: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE deliveries SET state = 'failed', last_error = $3, lease_id = NULL, leased_until = NULL
     WHERE id = $1 AND lease_id = $2 AND state = 'pending'`,
    [id, leaseId, error],
  );
  return rowCount > 0;
}

/** Gives a delivery back after an attempt that may work later. */
export async function releaseDelivery(
  db: Queryable,
  id: string,
  leaseId: string,
  error: string,
): Promise<void> {
  await db.query(
    `UPDATE deliveries SET last_error = $3, lease_id = NULL, leased_until = NULL
     WHERE id = $1 AND lease_id = $2 AND state = 'pending'`,
    [id, leaseId, error],
  );
}

/** The deliveries of these alerts, in the order they were made. */
export async function listDeliveries(db: Queryable, alertIds: readonly string[]): Promise<Delivery[]> {
  return await queryRows(
    db,
    Delivery,
    `SELECT ${COLUMNS} FROM deliveries WHERE alert_id = ANY ($1::uuid[]) ORDER BY created_at, event, channel`,
    [alertIds],
  );
}
