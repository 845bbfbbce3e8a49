// Whether the trail's head is due to be anchored. Pure.
import { ANCHOR_PERIOD_MS } from '#shared/audit/anchor.ts';
import type { AuditHead, LastAnchor } from '../store/audit-anchor.ts';

/** A trail that does not grow is anchored again after this time, since the bucket deletes old anchors some day. */
const RENEWAL_MS = 24 * 3_600_000;

/** True when the head is not anchored, or its anchor is a day old; never twice in five minutes. */
export function isAnchorDue(head: AuditHead, last: LastAnchor | undefined, now: Date): boolean {
  if (!last) return true;
  const ageMs = now.getTime() - last.anchoredAt.getTime();
  // A time in the future comes from a wrong clock or a changed row, and must not prevent an anchor.
  if (ageMs < 0 || ageMs >= RENEWAL_MS) return true;
  const isAnchored = last.seq === head.seq && last.hash.equals(head.hash);
  return !isAnchored && ageMs >= ANCHOR_PERIOD_MS;
}
