// An end for work that does not end by itself, and what is left of a time.
import { LamplighterError } from '../errors.ts';

/** What is left of a run's time. */
export interface Budget {
  remainingMs(): number;
}

/** A budget that begins now. By the monotonic clock: a corrected wall clock does not stretch it. */
export function createBudget(ms: number, nowMs: () => number = () => performance.now()): Budget {
  const endMs = nowMs() + ms;
  return { remainingMs: () => endMs - nowMs() };
}

/** The work's outcome, or `timed-out` when it takes longer; the work then goes on, and nobody hears of its end. */
export async function withinMs<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new LamplighterError('timed-out', `not done within ${ms} ms`)),
    ms,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
