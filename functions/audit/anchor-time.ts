// The signed times of anchors, those that can be true.
import type { AuditAnchor } from '#shared/audit/anchor.ts';

/** Clocks of two functions may differ; an anchor of a later time than this proves nothing of now. */
export const MAX_CLOCK_SKEW_MS = 5 * 60_000;

/** When the newest of these anchors was made (milliseconds), those of the future left out; undefined when there is none. */
export function newestTime(anchors: readonly AuditAnchor[], now: Date): number | undefined {
  const latest = now.getTime() + MAX_CLOCK_SKEW_MS;
  const times = anchors.map(({ at }) => Date.parse(at)).filter((at) => at <= latest);
  return times.length === 0 ? undefined : Math.max(...times);
}
