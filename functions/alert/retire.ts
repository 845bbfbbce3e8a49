// Ends alerts about things that the runbook no longer has: nothing else would ever end them.
import { lookUp } from '#shared/look-up.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { scheduledJobs } from '../schedule/jobs.ts';
import { type Alert, listFiringAlerts } from '../store/alerts.ts';
import { type AlertChange, type AlertDeps, changeAlerts, settleAlert } from './change.ts';

/** True when the runbook still has what the alert is about. */
function isStillMeant({ kind, host, subject }: Alert, runbook: Runbook): boolean {
  switch (kind) {
    case 'check':
      return lookUp(runbook.checks, subject)?.host === host;
    case 'heartbeat':
    case 'agent':
      return Object.keys(runbook.hosts).includes(host);
    case 'audit':
      return true;
    case 'backup':
      return runbook.backup?.host === host;
    case 'command':
      return scheduledJobs(runbook).some((job) => job.name === subject && job.host === host);
  }
}

/** Ends what is meant no longer. */
export async function retireAlerts(deps: AlertDeps, runbook: Runbook): Promise<AlertChange[]> {
  const changes: AlertChange[] = [];
  for (const alert of await listFiringAlerts(deps.db)) {
    if (isStillMeant(alert, runbook)) continue;
    const resolution = `${alert.title}: over, since the runbook no longer has it`;
    changes.push(
      ...(await changeAlerts(deps, async (tx) => [
        await settleAlert(tx, alert, resolution, runbook, deps.clock()),
      ])),
    );
  }
  return changes;
}
