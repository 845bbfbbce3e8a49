// Checks that nobody could judge for long: the watcher is blind for them, or never gets to them. Such a check neither
// passes nor fails, so nothing else would say that its target is not watched.
import type { Check } from '#shared/runbook/schema.ts';
import {
  type AlertChange,
  type AlertChanges,
  type AlertDeps,
  changeAlerts,
  raiseAlert,
  replaceAlert,
  type Symptom,
} from '../alert/change.ts';
import { renewReason } from '../alert/reason.ts';
import { durationText } from '../alert/text.ts';
import { findFiringAlert, lockHostAlerts } from '../store/alerts.ts';
import { listUnjudgedChecks } from '../store/checks.ts';
import type { Queryable } from '../store/database.ts';
import type { CurrentRunbook } from '../store/runbooks.ts';
import { checkFailing, checkUnjudged } from './conditions.ts';
import { listEvidence } from './evidence.ts';

const MISSED_PERIODS = 3;
const MIN_PATIENCE_MS = 10 * 60_000;

/** How long a check may go without a look that says something of its target. */
export function patienceMs({ everyS }: Pick<Check, 'everyS'>): number {
  return Math.max(everyS * 1000 * MISSED_PERIODS, MIN_PATIENCE_MS);
}

interface Suspect {
  name: string;
  check: Check;
  since: Date;
}

async function stillUnjudged(db: Queryable, suspects: readonly Suspect[]): Promise<Suspect[]> {
  const wanted = suspects.map(({ name, check, since }) => ({ check: name, host: check.host, since }));
  const names = new Set(await listUnjudgedChecks(db, wanted));
  return suspects.filter(({ name }) => names.has(name));
}

/**
 * Raises an alert for each check without a good or bad look for too long. Time counts only while the runbook was in force
 * and ticks came. Where the check is known to fail, that is the latest reason of its alert.
 */
export async function watchUnjudged(
  deps: AlertDeps,
  { runbook, appliedAt }: CurrentRunbook,
  watchingSince: Date,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const from = Math.max(appliedAt.getTime(), watchingSince.getTime());
  const suspects = Object.entries(runbook.checks)
    .map(([name, check]) => ({ name, check, since: new Date(now.getTime() - patienceMs(check)) }))
    .filter(({ since }) => since.getTime() >= from);
  const changes: AlertChange[] = [];
  for (const suspect of await stillUnjudged(deps.db, suspects)) {
    changes.push(
      ...(await changeAlerts(deps, runbook, async (alerts) => {
        await lockHostAlerts(alerts.tx, suspect.check.host);
        // A run may have judged it meanwhile.
        if ((await stillUnjudged(alerts.tx, [suspect])).length > 0) await raise(alerts, suspect);
      })),
    );
  }
  return changes;
}

async function raise(alerts: AlertChanges, { name, check }: Suspect): Promise<void> {
  const reason = `no look at it gave a result for ${durationText(patienceMs(check))}, so nobody knows how it is`;
  const about = { check: name, service: check.service };
  const failing = await findFiringAlert(alerts.tx, checkFailing.on(check.host, about));
  if (failing) return await renewReason(alerts, failing, reason);
  const evidence = await listEvidence(alerts.tx, name);
  await raiseAlert(alerts, { ...checkUnjudged.on(check.host, about), reason, evidence });
}

/** Raises the alert of a check that fails. When nobody could judge it before, that other alert ends. */
export async function raiseFailing(alerts: AlertChanges, failing: Symptom): Promise<void> {
  const unjudged = await findFiringAlert(alerts.tx, { ...failing, condition: checkUnjudged.id });
  const resolution = `${failing.subject} can be judged again, and is failing`;
  if (unjudged) await replaceAlert(alerts, unjudged, resolution, failing);
  else await raiseAlert(alerts, failing);
}
