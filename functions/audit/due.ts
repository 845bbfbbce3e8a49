// Whether the trail's head should be anchored now. Pure.
import { ANCHOR_PERIOD_MS } from '#shared/audit/anchor.ts';
import type { AuditHead, LastAnchor } from '../store/audit-anchor.ts';

/** A trail that does not grow is anchored again after this: the bucket lets go of old anchors in its time. */
const RENEWAL_MS = 24 * 3_600_000;

/** True when the head is another than the anchored one, or its anchor is a day old; never twice in five minutes. */
export function isAnchorDue(head: AuditHead, last: LastAnchor | undefined, now: Date): boolean {
  if (!last) return true;
  const ageMs = now.getTime() - last.anchoredAt.getTime();
  // A time from the future is a clock that was wrong, or a row that somebody changed: it must keep nothing from being anchored.
  if (ageMs < 0 || ageMs >= RENEWAL_MS) return true;
  const isAnchored = last.seq === head.seq && last.hash.equals(head.hash);
  return !isAnchored && ageMs >= ANCHOR_PERIOD_MS;
}
