// The proof of the audit trail: it is whole in itself, and what the bucket's anchors name is still in it.
import type { AuditAnchor } from '#shared/audit/anchor.ts';
import { verifyAuditChain } from '../store/audit.ts';
import { findNextEntryTime } from '../store/audit-anchor.ts';
import type { Queryable } from '../store/database.ts';
import type { AnchorFindings } from './read-anchors.ts';

export type TrailVerdict =
  | {
      intact: true;
      entries: number;
      anchors: number;
      /** The last entry that an anchor covers; 0 when there is no anchor. */
      anchoredUpTo: number;
      /** When the first entry after it was written; null when there is none. */
      unanchoredSince: Date | null;
    }
  | { intact: false; fault: string };

/**
 * Holds the trail against anchors that were read before: later entries may be in the trail, never fewer. Gives the first
 * fault. An entry that an anchor names proves all entries before it, since each hash covers the one before.
 */
export async function checkTrail(db: Queryable, { anchors, faults }: AnchorFindings): Promise<TrailVerdict> {
  const bySeq = Map.groupBy(anchors, ({ seq }) => seq);
  let proven = 0;
  const verdict = await verifyAuditChain(db, ({ seq, hash }) => {
    const named = bySeq.get(seq) ?? [];
    const other = named.find((anchor) => anchor.hash !== hash.toString('hex'));
    if (other) return rewritten(other, proven);
    if (named.length > 0) proven = seq;
    return undefined;
  });
  if (!verdict.intact) return { intact: false, fault: `entry ${verdict.seq}: ${verdict.fault}` };
  const last = anchors.at(-1);
  if (last && last.seq > verdict.entries) return { intact: false, fault: shortened(last, verdict.entries) };
  const [fault] = faults;
  if (fault !== undefined) return { intact: false, fault: `anchor ${fault}` };
  const { entries } = verdict;
  const unanchoredSince = (await findNextEntryTime(db, proven)) ?? null;
  return { intact: true, entries, anchors: anchors.length, anchoredUpTo: proven, unanchoredSince };
}

function rewritten({ seq, at }: AuditAnchor, proven: number): string {
  const which = proven + 1 === seq ? 'it was' : `it or an entry from ${proven + 1} on was`;
  return `${which} rewritten after ${at}, when it was anchored with another hash`;
}

function shortened({ seq, at }: AuditAnchor, entries: number): string {
  const which = entries + 1 === seq ? `entry ${seq} was` : `entries ${entries + 1} to ${seq} were`;
  return `${which} removed after ${at}, when entry ${seq} was anchored`;
}
