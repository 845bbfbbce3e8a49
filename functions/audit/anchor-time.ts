// The signed times of anchors, without impossible ones.
import type { AuditAnchor } from '#shared/audit/anchor.ts';

/** The clocks of two functions may differ by this much; an anchor further in the future is ignored. */
export const MAX_CLOCK_SKEW_MS = 5 * 60_000;

/** When the newest anchor was made (milliseconds), ignoring anchors in the future; undefined without one. */
export function newestTime(anchors: readonly AuditAnchor[], now: Date): number | undefined {
  const latest = now.getTime() + MAX_CLOCK_SKEW_MS;
  const times = anchors.map(({ at }) => Date.parse(at)).filter((at) => at <= latest);
  return times.length === 0 ? undefined : Math.max(...times);
}
