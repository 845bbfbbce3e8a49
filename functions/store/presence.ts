// The watcher's own presence: silence of others counts only while somebody was listening.
import { z } from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { type Queryable, queryRow } from './database.ts';

/**
 * Notes a tick and gives since when ticks have come without a longer gap than `maxGapMs`. Ticks at the same time do no
 * harm.
 */
export async function notePresence(db: Queryable, now: Date, maxGapMs: number): Promise<Date> {
  const row = await queryRow(
    db,
    z.object({ watchingSince: z.date() }),
    `INSERT INTO watch_presence AS p (watching_since, last_tick_at) VALUES ($1, $1)
     ON CONFLICT (is_only) DO UPDATE SET
       watching_since = CASE WHEN p.last_tick_at < $2 THEN excluded.watching_since ELSE p.watching_since END,
       last_tick_at = greatest(p.last_tick_at, excluded.last_tick_at)
     RETURNING watching_since AS "watchingSince"`,
    [now, new Date(now.getTime() - maxGapMs)],
  );
  if (row) return row.watchingSince;
  throw new LamplighterError('internal', 'note tick: the row was not returned');
}
