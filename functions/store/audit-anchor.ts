// The last anchor of the audit trail, and the entries after it.
import * as z from 'zod';
import { type Queryable, queryRow } from './database.ts';

const AuditHead = z.lazy(() => z.object({ seq: z.number(), hash: z.instanceof(Buffer) }));
export type AuditHead = z.infer<typeof AuditHead>;

/** The last entry of the trail; undefined when it is empty. */
export async function findAuditHead(db: Queryable): Promise<AuditHead | undefined> {
  return await queryRow(db, AuditHead, 'SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1');
}

const LastAnchor = z.lazy(() => AuditHead.unwrap().extend({ anchoredAt: z.date() }));
export type LastAnchor = z.infer<typeof LastAnchor>;

/** The newest anchor; undefined before the first. */
export async function findLastAnchor(db: Queryable): Promise<LastAnchor | undefined> {
  return await queryRow(db, LastAnchor, 'SELECT seq, hash, anchored_at AS "anchoredAt" FROM audit_anchor');
}

/** Records an anchor. A record that is lost costs one more anchor and nothing else. */
export async function noteAnchor(db: Queryable, { seq, hash, anchoredAt }: LastAnchor): Promise<void> {
  await db.query(
    `INSERT INTO audit_anchor (seq, hash, anchored_at) VALUES ($1, $2, $3)
     ON CONFLICT (is_only) DO UPDATE SET
       seq = excluded.seq, hash = excluded.hash, anchored_at = excluded.anchored_at`,
    [seq, hash, anchoredAt],
  );
}

/** When the first entry after this one was written; undefined when it is the last. */
export async function findNextEntryTime(db: Queryable, seq: number): Promise<Date | undefined> {
  const row = await queryRow(
    db,
    z.object({ at: z.date() }),
    'SELECT at FROM audit WHERE seq > $1 ORDER BY seq LIMIT 1',
    [seq],
  );
  return row?.at;
}

/** Notes that a check of the trail has ended, whatever it found. */
export async function noteTrailCheck(db: Queryable, endedAt: Date): Promise<void> {
  await db.query(
    `INSERT INTO audit_check (ended_at) VALUES ($1)
     ON CONFLICT (is_only) DO UPDATE SET ended_at = excluded.ended_at`,
    [endedAt],
  );
}

/** When a check of the trail ended last; undefined before the first. */
export async function findLastTrailCheck(db: Queryable): Promise<Date | undefined> {
  const row = await queryRow(
    db,
    z.object({ endedAt: z.date() }),
    'SELECT ended_at AS "endedAt" FROM audit_check WHERE isfinite(ended_at)',
  );
  return row?.endedAt;
}
