// Whether the anchors in the bucket cover the latest entries. Pure. The times of entries and the record of anchors are in the
// database, so somebody who can write there can change them; the time of an anchor is signed.
import type { AuditAnchor } from '#shared/audit/anchor.ts';
import { durationText } from '../alert/text.ts';
import { MAX_CLOCK_SKEW_MS, newestTime } from './anchor-time.ts';
import type { TrailVerdict } from './check.ts';

/** An anchor is renewed after a day even when the trail does not grow (due.ts). */
const MAX_ANCHOR_AGE_MS = 25 * 3_600_000;
const MAX_WAIT_MS = 60 * 60_000;

/** What the anchors do not cover, or undefined. */
export function coverageFault(
  verdict: TrailVerdict,
  anchors: readonly AuditAnchor[],
  now: Date,
): string | undefined {
  const newest = newestTime(anchors, now);
  if (newest === undefined) {
    return isNew(verdict, now) ? undefined : 'no anchor in the bucket covers the entries that there are';
  }
  const ageMs = now.getTime() - newest;
  if (ageMs > MAX_ANCHOR_AGE_MS) {
    return `the newest anchor in the bucket is of ${new Date(newest).toISOString()} (${durationText(ageMs)} ago), and one is due every day`;
  }
  return verdict.intact ? overdueFault(verdict.unanchoredSince, now) : undefined;
}

/** A new deployment that has not anchored yet: the trail is empty, or its first entry is at most an hour old. */
function isNew(verdict: TrailVerdict, now: Date): boolean {
  if (!verdict.intact) return false;
  if (!verdict.unanchoredSince) return true;
  const ageMs = now.getTime() - verdict.unanchoredSince.getTime();
  return verdict.anchoredUpTo === 0 && ageMs >= -MAX_CLOCK_SKEW_MS && ageMs < MAX_WAIT_MS;
}

/** An earlier limit than a day, where the entries' times are honest. */
function overdueFault(unanchoredSince: Date | null, now: Date): string | undefined {
  if (!unanchoredSince) return undefined;
  const waitingMs = now.getTime() - unanchoredSince.getTime();
  if (waitingMs < MAX_WAIT_MS) return undefined;
  return `no anchor in the bucket covers the entries from ${unanchoredSince.toISOString()} on (${durationText(waitingMs)})`;
}
