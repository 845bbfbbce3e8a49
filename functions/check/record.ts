// Records a run's results, the check's state, and its alert with incident and deliveries, in one transaction.
import { lookUp } from '#shared/look-up.ts';
import type { Check, Runbook } from '#shared/runbook/schema.ts';
import { type AlertChanges, type AlertDeps, changeAlerts, resolveAlert } from '../alert/change.ts';
import { lastExitText } from '../host/last-exit.ts';
import { lockHostAlerts } from '../store/alerts.ts';
import {
  type CheckResult,
  insertCheckResults,
  lockHeldCheck,
  type StoredCheck,
  saveCheck,
} from '../store/checks.ts';
import { findUnitStatus } from '../store/hosts.ts';
import type { Lease } from '../store/lease.ts';
import { checkFailing, checkUnjudged } from './conditions.ts';
import { listEvidence } from './evidence.ts';
import { confirmationAfter } from './observe.ts';
import { raiseFailing } from './unjudged.ts';

export interface CheckRun {
  name: string;
  check: Check;
  lease: Pick<Lease, 'holder'>;
  results: readonly CheckResult[];
}

/** Records a run; does nothing when its lease was lost to another one. */
export async function recordRun(deps: AlertDeps, run: CheckRun, runbook: Runbook): Promise<void> {
  await changeAlerts(deps, runbook, async (alerts) => {
    const { tx } = alerts;
    // The host's lock is taken before the check's row, as everywhere.
    await lockHostAlerts(tx, run.check.host);
    const before = await lockHeldCheck(tx, run.name, run.lease);
    const last = run.results.at(-1);
    if (!before || !last) return;
    await insertCheckResults(tx, run.name, run.check.host, run.results);
    const after = stateAfter(before, run, last);
    await saveCheck(tx, after);
    await followState(alerts, run, after);
  });
}

function stateAfter(before: StoredCheck, run: CheckRun, last: CheckResult): StoredCheck {
  const { state, confirmed, streak } = confirmationAfter(before, run.results, run.check);
  const confirmedSince = confirmed === before.confirmed ? before.confirmedSince : last.at;
  const unknownSince = (before.state === 'unknown' ? before.since : null) ?? last.at;
  const since = state === 'unknown' ? unknownSince : confirmedSince;
  const { latencyMs, reason: detail } = last;
  return { ...before, state, since, confirmed, confirmedSince, streak, latencyMs, detail };
}

/** Raises or resolves the alert after every run, not only at a change, so that a missed change is made up for. */
async function followState(
  alerts: AlertChanges,
  { name, check }: CheckRun,
  { state, detail }: StoredCheck,
): Promise<void> {
  if (state === 'unknown') return;
  const about = { check: name, service: check.service };
  const failing = checkFailing.on(check.host, about);
  if (state === 'passing') {
    const resolution = `${name} is passing again: ${detail ?? ''}`;
    await resolveAlert(alerts, failing, resolution);
    await resolveAlert(alerts, checkUnjudged.on(check.host, about), resolution);
    return;
  }
  const evidence = await listEvidence(alerts.tx, name);
  const cause = await findCause(alerts, check);
  const reason = [detail, cause].filter((part) => part !== undefined && part !== null).join('; ');
  await raiseFailing(alerts, { ...failing, reason, evidence });
}

/** How the unit behind the check ended, as the host's agent reported last: the check itself only sees the symptom. */
async function findCause({ tx, runbook, now }: AlertChanges, check: Check): Promise<string | undefined> {
  const service = check.service === undefined ? undefined : lookUp(runbook.services, check.service);
  if (!service) return undefined;
  return lastExitText(await findUnitStatus(tx, service.host, service.unit), now);
}
