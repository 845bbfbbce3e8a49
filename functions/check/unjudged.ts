// Raises alerts for checks without a verdict for a long time: the watcher can't see their targets, or never gets to them.
// Such a check neither passes nor fails, so nothing else would say that its target is not watched.
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

/** How long a check can be without a good or bad verdict before an alert is raised. */
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
 * Raises an alert for each check without a good or bad verdict for too long. Only time counts in which the runbook was in
 * force and ticks came. When the check's failure already has an alert, that alert gets a new latest reason instead.
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
        // A run may have reached a verdict meanwhile.
        if ((await stillUnjudged(alerts.tx, [suspect])).length > 0) await raise(alerts, suspect);
      })),
    );
  }
  return changes;
}

async function raise(alerts: AlertChanges, { name, check }: Suspect): Promise<void> {
  const reason = `no look at it has given a verdict for ${durationText(patienceMs(check))}, so its state is not known`;
  const about = { check: name, service: check.service };
  const failing = await findFiringAlert(alerts.tx, checkFailing.on(check.host, about));
  if (failing) return await renewReason(alerts, failing, reason);
  const evidence = await listEvidence(alerts.tx, name);
  await raiseAlert(alerts, { ...checkUnjudged.on(check.host, about), reason, evidence });
}

/** Raises the alert of a check that fails. It replaces the alert that the check could not be judged. */
export async function raiseFailing(alerts: AlertChanges, failing: Symptom): Promise<void> {
  const unjudged = await findFiringAlert(alerts.tx, { ...failing, condition: checkUnjudged.id });
  const resolution = `${failing.subject} can be judged again, and is failing`;
  if (unjudged) await replaceAlert(alerts, unjudged, resolution, failing);
  else await raiseAlert(alerts, failing);
}
