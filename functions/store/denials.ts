// Denials per minute: who was denied what, and how often.
import * as z from 'zod';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';

export interface DenialKey {
  minute: Date;
  source: string;
  action: string;
  subject: string;
}

const Noted = z.lazy(() => z.object({ noted: z.number() }));

/** Counts denials and returns the new total of the key. The sample of the first denial stays. */
export async function countDenials(
  tx: Queryable,
  { minute, source, action, subject }: DenialKey,
  { count, untold, sample }: { count: number; untold: number; sample: Record<string, unknown> },
): Promise<number> {
  const row = await queryRow(
    tx,
    Noted,
    `INSERT INTO denials AS known (minute, source, action, subject, noted, untold, sample)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (minute, source, action, subject)
     DO UPDATE SET noted = known.noted + excluded.noted, untold = known.untold + excluded.untold
     RETURNING noted`,
    [minute, source, action, subject, count, untold, toJson(sample)],
  );
  return row?.noted ?? count;
}

/** Subtracts denials that were written to the audit trail at once. */
export async function markTold(tx: Queryable, key: DenialKey, count: number): Promise<void> {
  await tx.query(
    `UPDATE denials SET untold = untold - $5 WHERE minute = $1 AND source = $2 AND action = $3 AND subject = $4`,
    [key.minute, key.source, key.action, key.subject, count],
  );
}

const DenialRow = z.lazy(() =>
  z.object({
    minute: z.date(),
    source: z.string(),
    action: z.string(),
    subject: z.string(),
    untold: z.number(),
    sample: z.record(z.string(), z.unknown()),
  }),
);
export type DenialRow = z.infer<typeof DenialRow>;

/** Takes the rows of past minutes, the oldest first. */
export async function takeDenialsBefore(tx: Queryable, minute: Date, limit: number): Promise<DenialRow[]> {
  return await queryRows(
    tx,
    DenialRow,
    `WITH taken AS (
       DELETE FROM denials WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM denials WHERE minute < $1 ORDER BY minute LIMIT $2 FOR UPDATE SKIP LOCKED))
       RETURNING minute, source, action, subject, untold, sample)
     SELECT * FROM taken ORDER BY minute, source, action, subject`,
    [minute, limit],
  );
}
