// Verifies the audit trail: its hash chain is intact, and every entry that an anchor names is still in it.
import type { AuditAnchor } from '#shared/audit/anchor.ts';
import { type ChainVerdict, verifyAuditChain } from '../store/audit.ts';
import { findNextEntryTime } from '../store/audit-anchor.ts';
import type { Queryable } from '../store/database.ts';
import { newestTime } from './anchor-time.ts';
import type { AnchorFindings } from './read-anchors.ts';

export type TrailVerdict =
  | {
      intact: true;
      entries: number;
      anchors: number;
      /** The last entry that an anchor covers; 0 without an anchor. */
      anchoredUpTo: number;
      /** When the first entry after it was written; null when there is none. */
      unanchoredSince: Date | null;
    }
  | {
      intact: false;
      fault: string;
      /** Identifies the fault: it stays the same until somebody changes more, even while the trail grows. */
      fact: string;
    };

/**
 * Compares the trail with anchors that were read before it, so that the trail may have more entries, never fewer. Returns the
 * first fault. An entry that an anchor names proves all entries before it, since each hash covers the one before.
 */
export async function checkTrail(
  db: Queryable,
  { anchors, faults }: AnchorFindings,
  now: Date,
): Promise<TrailVerdict> {
  const { chain, proven, rewritten } = await compare(db, anchors);
  const [other] = rewritten;
  if (other) {
    const fault = `entry ${other.seq}: ${rewrittenText(other, proven)}`;
    return { intact: false, fault, fact: factOf([...rewritten, ...missing(chain, anchors)], now) };
  }
  if (!chain.intact) {
    const fault = `entry ${chain.seq}: ${chain.fault}`;
    return { intact: false, fault, fact: fault };
  }
  const { entries } = chain;
  const removed = missing(chain, anchors);
  const last = removed.at(-1);
  if (last) return { intact: false, fault: removedText(last, entries), fact: factOf(removed, now) };
  const [foreign] = faults;
  if (foreign !== undefined) return { intact: false, fault: `anchor ${foreign}`, fact: foreign };
  const unanchoredSince = (await findNextEntryTime(db, proven)) ?? null;
  return { intact: true, entries, anchors: anchors.length, anchoredUpTo: proven, unanchoredSince };
}

interface Comparison {
  chain: ChainVerdict;
  /** The last entry that an anchor proves, before the first contradicted one. */
  proven: number;
  /** Anchors whose entry has a different hash, in the order of entries. */
  rewritten: AuditAnchor[];
}

async function compare(db: Queryable, anchors: readonly AuditAnchor[]): Promise<Comparison> {
  const bySeq = Map.groupBy(anchors, ({ seq }) => seq);
  const rewritten: AuditAnchor[] = [];
  let proven = 0;
  const chain = await verifyAuditChain(db, ({ seq, hash }) => {
    const named = bySeq.get(seq) ?? [];
    rewritten.push(...named.filter((anchor) => anchor.hash !== hash.toString('hex')));
    if (named.length > 0 && rewritten.length === 0) proven = seq;
  });
  return { chain, proven, rewritten };
}

/** Anchors of entries after the end of the trail. */
function missing(chain: ChainVerdict, anchors: readonly AuditAnchor[]): AuditAnchor[] {
  return chain.intact ? anchors.filter(({ seq }) => seq > chain.entries) : [];
}

/**
 * The first entry whose anchor the trail contradicts, and the time of the newest such anchor. A trail that was cut goes on
 * growing, so its length and the entry that shows the fault change. These two values change only when one more anchor is
 * contradicted.
 */
function factOf(contradicted: readonly AuditAnchor[], now: Date): string {
  const first = Math.min(...contradicted.map(({ seq }) => seq));
  const newest = newestTime(contradicted, now);
  const until = newest === undefined ? 'of the future' : `until ${new Date(newest).toISOString()}`;
  return `anchors from entry ${first} on, ${until}`;
}

function rewrittenText({ seq, at }: AuditAnchor, proven: number): string {
  const which = proven + 1 === seq ? 'it was' : `it or an entry from ${proven + 1} on was`;
  return `${which} rewritten after ${at}, when it was anchored with another hash`;
}

function removedText({ seq, at }: AuditAnchor, entries: number): string {
  const which = entries + 1 === seq ? `entry ${seq} was` : `entries ${entries + 1} to ${seq} were`;
  return `${which} removed after ${at}, when entry ${seq} was anchored`;
}
