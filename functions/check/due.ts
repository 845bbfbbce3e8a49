// Which checks a tick looks at. Pure.
import type { Check } from '#shared/runbook/schema.ts';

/** A check that fails, or was not settled, is looked at this often even when it is otherwise looked at rarely. */
const TROUBLED_EVERY_S = 60;
/** Ticks come a little early or late: without this a check of every minute would now and then wait for two. */
const MAX_EARLY_MS = 5000;

/** A check that last ran at or before this time is due. */
export function dueBefore(check: Pick<Check, 'everyS'>, isTroubled: boolean, now: Date): Date {
  const everyMs = (isTroubled ? Math.min(check.everyS, TROUBLED_EVERY_S) : check.everyS) * 1000;
  return new Date(now.getTime() - everyMs + Math.min(MAX_EARLY_MS, everyMs / 10));
}
