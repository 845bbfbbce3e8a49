// When a check's state changes: enough findings in a row that speak against it. Pure.
import type { Verdict } from './kinds/verdict.ts';

type ConfirmedState = 'passing' | 'failing' | 'unknown';

/** What is held of a check between looks. */
export interface Standing {
  state: ConfirmedState;
  /** Findings in a row that speak against `state`. */
  streak: number;
}

export interface Thresholds {
  failureThreshold: number;
  successThreshold: number;
}

/** `isSettled`: another look now would not be needed. */
export interface Judgement extends Standing {
  isSettled: boolean;
}

/**
 * The standing after one more finding. A first good one makes an unknown check pass at once: there is nothing to
 * recover from. An unknown finding changes nothing and ends the run, since looking again would be as blind.
 */
export function judge(standing: Standing, verdict: Verdict, terms: Thresholds): Judgement {
  if (verdict === 'unknown') return { ...standing, isSettled: true };
  const reached = verdict === 'good' ? 'passing' : 'failing';
  if (standing.state === reached) return { state: reached, streak: 0, isSettled: true };
  const needed = neededFor(standing.state, verdict, terms);
  const streak = standing.streak + 1;
  if (streak >= needed) return { state: reached, streak: 0, isSettled: true };
  return { state: standing.state, streak, isSettled: false };
}

function neededFor(state: ConfirmedState, verdict: 'good' | 'bad', terms: Thresholds): number {
  if (verdict === 'bad') return terms.failureThreshold;
  return state === 'unknown' ? 1 : terms.successThreshold;
}
