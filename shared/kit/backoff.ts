// Pauses between tries that fail.
import { setTimeout as delay } from 'node:timers/promises';

/** Waits, or returns early when `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

export interface Backoff {
  /** Waits longer each time, or returns early when `signal` is aborted. */
  pause(signal: AbortSignal): Promise<void>;
  /** Something has worked: the next pause is the first again. */
  reset(): void;
}

/**
 * The pause after so many failures in a row: it doubles from `firstMs` up to `mostMs` and is shortened by up to a half, by
 * `chance` (0 to 1), so that all who lost the same server do not come back at the same moment.
 */
export function pauseMs(failures: number, firstMs: number, mostMs: number, chance: number): number {
  return Math.min(mostMs, firstMs * 2 ** (failures - 1)) * (1 - chance / 2);
}

/** Pauses from `firstMs` up to `mostMs`. */
export function createBackoff(firstMs: number, mostMs: number): Backoff {
  let failures = 0;
  return {
    pause: async (signal) => {
      failures += 1;
      await pause(pauseMs(failures, firstMs, mostMs, Math.random()), signal);
    },
    reset: () => {
      failures = 0;
    },
  };
}
