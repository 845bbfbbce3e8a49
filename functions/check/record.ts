// Writes a run's results down: the check's state, and its alert with everything that hangs on it, in one transaction.
import { lookUp } from '#shared/look-up.ts';
import type { Check, Runbook } from '#shared/runbook/schema.ts';
import { type AlertChange, type AlertDeps, changeAlerts, settleAlert } from '../alert/change.ts';
import { lastExitText } from '../host/last-exit.ts';
import { lockHostAlerts } from '../store/alerts.ts';
import {
  type CheckResult,
  type CheckState,
  insertCheckResults,
  lockHeldCheck,
  settleCheck,
} from '../store/checks.ts';
import type { Queryable } from '../store/database.ts';
import { findUnitStatus } from '../store/hosts.ts';
import { checkFailing, checkUnjudged } from './conditions.ts';
import { listEvidence } from './evidence.ts';
import { standingAfter } from './observe.ts';
import { raiseFailing } from './unjudged.ts';

export interface CheckRun {
  name: string;
  check: Check;
  runId: string;
  results: readonly CheckResult[];
}

/** Records a run; does nothing when its lease was lost to another one. */
export async function recordRun(deps: AlertDeps, run: CheckRun, runbook: Runbook): Promise<void> {
  await changeAlerts(deps, async (tx) => {
    // Before the check's row: everyone takes the host's lock first.
    await lockHostAlerts(tx, run.check.host);
    const before = await lockHeldCheck(tx, run.name, run.runId);
    const last = run.results.at(-1);
    if (!before || !last) return [];
    await insertCheckResults(tx, run.name, run.check.host, run.results);
    const after = stateAfter(before, run, last);
    await settleCheck(tx, after);
    return await followState(tx, run, after, runbook, deps.clock());
  });
}

function stateAfter(before: CheckState, run: CheckRun, last: CheckResult): CheckState {
  const { state, streak } = standingAfter(before, run.results, run.check);
  const isBlind = last.verdict === 'unknown';
  return {
    ...before,
    state,
    streak,
    since: state === before.state ? before.since : last.at,
    blindSince: isBlind ? (before.blindSince ?? last.at) : null,
    latencyMs: last.latencyMs,
    detail: last.reason,
  };
}

/** Looks at the alert after every run, not only at a change: whatever was missed is mended. */
async function followState(
  tx: Queryable,
  { name, check }: CheckRun,
  { state, detail, blindSince }: CheckState,
  runbook: Runbook,
  now: Date,
): Promise<(AlertChange | undefined)[]> {
  if (blindSince !== null || state === 'unknown') return [];
  const about = { check: name, service: check.service };
  const failing = checkFailing.on(check.host, about);
  if (state === 'passing') {
    const resolution = `${name} is passing again: ${detail ?? ''}`;
    const unjudged = checkUnjudged.on(check.host, about);
    return [
      await settleAlert(tx, failing, resolution, runbook, now),
      await settleAlert(tx, unjudged, resolution, runbook, now),
    ];
  }
  const evidence = await listEvidence(tx, name);
  const cause = await findCause(tx, check, runbook, now);
  const reason = [detail, cause].filter((part) => part !== undefined && part !== null).join('; ');
  return await raiseFailing(tx, { ...failing, reason, evidence }, runbook, now);
}

/** What the host's agent said last of the unit behind the check: the cause, where the check only sees the symptom. */
async function findCause(
  tx: Queryable,
  check: Check,
  runbook: Runbook,
  now: Date,
): Promise<string | undefined> {
  const service = check.service === undefined ? undefined : lookUp(runbook.services, check.service);
  if (!service) return undefined;
  return lastExitText(await findUnitStatus(tx, service.host, service.unit), now);
}
