// Looks at one check's target until its state is decided or the run has no time left for another look.
import type { Budget } from '#shared/kit/deadline.ts';
import type { Check } from '#shared/runbook/schema.ts';
import type { CheckResult } from '../store/checks.ts';
import { type Confirmation, judge } from './confirm.ts';
import type { LookAtTarget } from './kinds/look.ts';
import type { LookResult } from './kinds/look-result.ts';

export interface ObserveDeps {
  look: LookAtTarget;
  clock: () => Date;
  sleep: (ms: number) => Promise<unknown>;
}

export interface Target {
  check: Check;
  address: string;
  confirmation: Confirmation;
}

/** One look, and when it ended. */
export interface Look extends LookResult {
  at: Date;
}

/** No look takes longer, whatever the check allows: the tick must end. */
export const MAX_LOOK_MS = 40_000;

/** Returns all looks, at least one. */
export async function observe(
  { look, clock, sleep }: ObserveDeps,
  { check, address, confirmation }: Target,
  budget: Budget,
): Promise<Look[]> {
  const timeoutMs = Math.min(check.timeoutMs, MAX_LOOK_MS);
  const looks: Look[] = [];
  for (let current = confirmation; ; ) {
    const result = await look(check, address, timeoutMs);
    looks.push({ ...result, at: clock() });
    const judgement = judge(current, result.verdict, check);
    if (judgement.isDecided) return looks;
    if (budget.remainingMs() < check.recheckDelayMs + timeoutMs) return looks;
    await sleep(check.recheckDelayMs);
    current = judgement;
  }
}

/**
 * The results as they count once the whole run is known. When no look of the run got through, a doubtful result says
 * nothing about the target.
 */
export function withDoubtResolved(looks: readonly Look[], isBlind: boolean): CheckResult[] {
  return looks.map(({ at, verdict, reason, latencyMs, isPerhapsOurs }) => ({
    at,
    verdict: isPerhapsOurs === true && isBlind ? 'unknown' : verdict,
    reason,
    latencyMs,
  }));
}

/** What is held of a check after these results. */
export function confirmationAfter(
  before: Confirmation,
  results: readonly CheckResult[],
  check: Pick<Check, 'failureThreshold' | 'successThreshold'>,
): Confirmation {
  return results.reduce<Confirmation>((current, { verdict }) => judge(current, verdict, check), before);
}
