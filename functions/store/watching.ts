// The watcher's own activity and the hosts' last heartbeats: silence counts only while the watcher was running.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';

/** Records a tick and returns since when ticks have come without a longer gap. Ticks at the same time do no harm. */
export async function noteTick(db: Queryable, now: Date, maxGapMs: number): Promise<Date> {
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

const LastHeard = z.lazy(() =>
  z.object({ host: z.string(), enrolledAt: z.date(), heardAt: z.date().nullable() }),
);
export type LastHeard = z.infer<typeof LastHeard>;

/** When each enrolled host's last heartbeat was received, by the control plane's clock. */
export async function listLastHeard(db: Queryable): Promise<LastHeard[]> {
  return await queryRows(
    db,
    LastHeard,
    `SELECT h.name AS host, h.enrolled_at AS "enrolledAt", s.received_at AS "heardAt"
     FROM hosts h LEFT JOIN host_state s ON s.host = h.name ORDER BY h.name`,
  );
}

/** When a runbook was applied for the first time. */
export async function findFirstAppliedAt(db: Queryable): Promise<Date | undefined> {
  const row = await queryRow(
    db,
    z.object({ appliedAt: z.date().nullable() }),
    'SELECT min(applied_at) AS "appliedAt" FROM runbook_versions',
  );
  return row?.appliedAt ?? undefined;
}
