// Counts of commands, for limits.
import * as z from 'zod';
import type { Actor } from '#shared/command/envelope.ts';
import { COMMAND_MOVES } from '../command/state.ts';
import { type Queryable, queryRow } from './database.ts';

/** Locks the actor, then the host, until the transaction ends; always in this order. */
export async function lockLimits(tx: Queryable, { kind, name }: Actor, host: string): Promise<void> {
  for (const key of [`asks:${kind}:${name}`, `asked:${host}`]) {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [key]);
  }
}

/** When the actor asked for its n-th newest command, counted back from `now`; undefined when there are fewer. */
export async function nthNewestRequest(
  db: Queryable,
  { kind, name }: Actor,
  n: number,
  now: Date,
): Promise<Date | undefined> {
  const row = await queryRow(
    db,
    z.object({ at: z.date() }),
    `SELECT requested_at AS at FROM commands WHERE actor_kind = $1 AND actor_name = $2 AND requested_at <= $4
     ORDER BY requested_at DESC OFFSET $3 LIMIT 1`,
    [kind, name, n - 1, now],
  );
  return row?.at;
}

/** Commands of these operations that a host has taken, or that wait for it and have not expired. */
export async function countOpenCommands(
  db: Queryable,
  host: string,
  operations: readonly string[],
  now: Date,
): Promise<number> {
  const row = await queryRow(
    db,
    z.object({ open: z.number() }),
    `SELECT count(*)::int AS open FROM commands
     WHERE host = $1 AND operation = ANY($2)
       AND (state = ANY($4) OR (state = ANY($5) AND expires_at > $3))`,
    [host, operations, now, COMMAND_MOVES['fell-silent'].from, COMMAND_MOVES.lapsed.from],
  );
  return row?.open ?? 0;
}
