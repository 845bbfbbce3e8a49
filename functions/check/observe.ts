// Looks at one check's target until the finding is settled or the run has no time left for another look.
import type { Budget } from '#shared/kit/deadline.ts';
import type { Check } from '#shared/runbook/schema.ts';
import type { CheckResult } from '../store/checks.ts';
import { type Confirmation, judge } from './confirm.ts';
import type { Probe } from './kinds/probe.ts';

export interface ObserveDeps {
  probe: Probe;
  clock: () => Date;
  sleep: (ms: number) => Promise<unknown>;
}

export interface Target {
  check: Check;
  address: string;
  confirmation: Confirmation;
}

/** One look: `isPerhapsOurs` as in a finding. */
export interface Look extends CheckResult {
  isPerhapsOurs: boolean;
}

/** No look takes longer, whatever the check allows: the tick must end. */
export const MAX_LOOK_MS = 40_000;

/** Gives all looks, at least one. */
export async function observe(
  { probe, clock, sleep }: ObserveDeps,
  { check, address, confirmation }: Target,
  budget: Budget,
): Promise<Look[]> {
  const timeoutMs = Math.min(check.timeoutMs, MAX_LOOK_MS);
  const looks: Look[] = [];
  for (let current = confirmation; ; ) {
    const { verdict, reason, latencyMs, isPerhapsOurs = false } = await probe(check, address, timeoutMs);
    looks.push({ at: clock(), verdict, reason, latencyMs, isPerhapsOurs });
    const judgement = judge(current, verdict, check);
    if (judgement.isSettled) return looks;
    if (budget.remainingMs() < check.recheckDelayMs + timeoutMs) return looks;
    await sleep(check.recheckDelayMs);
    current = judgement;
  }
}

/** The looks as they count once the whole run is known: when nothing got through, doubtful ones were our own blindness. */
export function withDoubtResolved(looks: readonly Look[], isBlind: boolean): CheckResult[] {
  return looks.map(({ at, verdict, reason, latencyMs, isPerhapsOurs }) => ({
    at,
    verdict: isPerhapsOurs && isBlind ? 'unknown' : verdict,
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
