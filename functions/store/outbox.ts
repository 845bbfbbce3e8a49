// The outbox: a row whose message must have gone out says in next_publish_at when it goes out again, for as long as nothing
// came of it. A tick claims the rows that are due by putting that off, so that ticks at the same time split them, and what a
// killed tick claimed is due again.
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
  /** Whether rows are worked on under a lease; a row that somebody works on needs no message. */
  isLeased: boolean;
}

export interface Claim {
  now: Date;
  /** When what is claimed is due again, should the claimer be killed. */
  nextPublishAt: Date;
  limit: number;
}

/** Claims the rows that are due, the oldest first; gives their keys in no order. */
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

/** Says when a row's message goes out again, should the row still be waiting then. */
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
