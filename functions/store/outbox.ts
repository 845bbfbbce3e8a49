// The outbox: rows whose message is published again at next_publish_at, until something came of it. A tick claims due rows by
// moving that time, so that ticks at the same time share the rows, and the rows of a killed tick become due again.
import * as z from 'zod';
import { type Queryable, queryRows } from './database.ts';
import { isFree } from './lease.ts';

export interface Outbox<K extends Record<string, string>> {
  table: string;
  /** The columns that name a row. */
  key: readonly (keyof K & string)[];
  /** The column of its state, and the states in which its message must go out. */
  stateColumn: string;
  waiting: readonly string[];
  /** Whether the table has leases; a row under a lease needs no message. */
  isLeased: boolean;
}

export interface Claim {
  now: Date;
  /** When the claimed rows are due again if the claimer is killed. */
  nextPublishAt: Date;
  limit: number;
}

/** Claims the rows that are due, the oldest first; returns their keys unordered. */
export async function claimDue<K extends Record<string, string>>(
  db: Queryable,
  { table, key, stateColumn, waiting, isLeased }: Outbox<K>,
  { now, nextPublishAt, limit }: Claim,
): Promise<K[]> {
  const columns = key.join(', ');
  const rows = await queryRows(
    db,
    z.record(z.string(), z.string()),
    `UPDATE ${table} SET next_publish_at = $2
     WHERE (${columns}) IN (
       SELECT ${columns} FROM ${table}
       WHERE next_publish_at <= $1 AND ${stateColumn} = ANY ($3) ${isLeased ? `AND ${isFree('$1')}` : ''}
       ORDER BY next_publish_at LIMIT $4 FOR UPDATE SKIP LOCKED)
     RETURNING ${columns}`,
    [now, nextPublishAt, waiting, limit],
  );
  return rows as K[];
}

/** Sets when a row's message is published again, if the row is still waiting then. */
export async function postpone<K extends Record<string, string>>(
  db: Queryable,
  { table, key, stateColumn, waiting }: Outbox<K>,
  row: K,
  nextPublishAt: Date,
): Promise<void> {
  const isRow = key.map((column, i) => `${column} = $${i + 3}`).join(' AND ');
  await db.query(`UPDATE ${table} SET next_publish_at = $1 WHERE ${isRow} AND ${stateColumn} = ANY ($2)`, [
    nextPublishAt,
    waiting,
    ...key.map((column) => row[column]),
  ]);
}
