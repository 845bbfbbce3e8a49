// Time in a run: how much is left, and an end for work that does not end by itself.
import { LamplighterError } from '#shared/errors.ts';
import type { Budget } from '../check/observe.ts';

/** A budget that begins now. By the monotonic clock: a corrected wall clock does not stretch it. */
export function createBudget(ms: number, nowMs: () => number = () => performance.now()): Budget {
  const endMs = nowMs() + ms;
  return { remainingMs: () => endMs - nowMs() };
}

/** The work's outcome, or `timed-out` when it took too long; it then goes on unheard. */
export async function withinMs<T>(what: string, ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new LamplighterError('timed-out', `${what}: not done within ${ms} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
  }
}
