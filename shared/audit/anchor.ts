// The head of the audit trail as it is kept outside of the database, signed by `sign`: whoever rewrites the trail, even as
// the database's owner, can't rewrite what the bucket holds.
import * as z from 'zod';
import { Timestamp } from '../names.ts';

/** What was the trail's last entry at a time. */
export const AuditAnchor = z.lazy(() =>
  z.strictObject({
    v: z.literal(1),
    seq: z.int().min(1),
    /** The entry's hash, which covers all entries before it. */
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    at: Timestamp,
  }),
);
export type AuditAnchor = z.infer<typeof AuditAnchor>;

/** Nothing but anchors is in the bucket below this. */
export const ANCHOR_PREFIX = 'audit/anchors/';

/** At most one anchor of the same entry in this time. */
export const ANCHOR_PERIOD_MS = 5 * 60_000;

const SEQ_DIGITS = 12;

/**
 * The name of an anchor's object: ordered by time, then by entry. Two anchors of one entry in one period have one name,
 * so that a second attempt finds the first.
 */
export function anchorObject({ seq, at }: Pick<AuditAnchor, 'seq' | 'at'>): string {
  const period = new Date(Math.floor(Date.parse(at) / ANCHOR_PERIOD_MS) * ANCHOR_PERIOD_MS);
  return `${ANCHOR_PREFIX}${period.toISOString().slice(0, 19)}Z-${String(seq).padStart(SEQ_DIGITS, '0')}.json`;
}
