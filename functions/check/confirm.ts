// The states of a check, and when one leads to another: after enough verdicts in a row that speak against it. Pure.
import type { CheckState } from '#shared/states.ts';
import type { Verdict } from './kinds/look-result.ts';

/** What is held of a check between looks. */
export interface Confirmation {
  /** `unknown`: nothing was confirmed yet, or the last look had no verdict on the target. */
  state: CheckState;
  /** What was confirmed last, also while the state is unknown; null before the first time. */
  confirmed: Exclude<CheckState, 'unknown'> | null;
  /** Verdicts in a row that speak against `confirmed`. */
  streak: number;
}

export interface Thresholds {
  failureThreshold: number;
  successThreshold: number;
}

/** `isDecided`: the run needs no further look. */
export interface Judgement extends Confirmation {
  isDecided: boolean;
}

/**
 * What is held after one more verdict. A first good verdict makes a check pass at once: there is nothing to recover from. An
 * unknown verdict confirms nothing and ends the run, since the next look could not see either.
 */
export function judge(
  { confirmed, streak }: Confirmation,
  verdict: Verdict,
  thresholds: Thresholds,
): Judgement {
  if (verdict === 'unknown') return { state: 'unknown', confirmed, streak, isDecided: true };
  const reached = verdict === 'good' ? 'passing' : 'failing';
  const against = confirmed === reached ? 0 : streak + 1;
  if (against === 0 || against >= neededFor(confirmed, verdict, thresholds)) {
    return { state: reached, confirmed: reached, streak: 0, isDecided: true };
  }
  return { state: confirmed ?? 'unknown', confirmed, streak: against, isDecided: false };
}

function neededFor(
  confirmed: Confirmation['confirmed'],
  verdict: 'good' | 'bad',
  thresholds: Thresholds,
): number {
  if (verdict === 'bad') return thresholds.failureThreshold;
  return confirmed === null ? 1 : thresholds.successThreshold;
}

/** Checks in these states are looked at again soon; so are checks with verdicts that speak against their state. */
export const TROUBLED_STATES: readonly CheckState[] = ['failing', 'unknown'];
