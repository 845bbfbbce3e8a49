// Ends alerts about things that the runbook no longer has: nothing else would end them.
import type { Runbook } from '#shared/runbook/schema.ts';
import { listFiringAlerts } from '../store/alerts.ts';
import { type AlertChange, type AlertDeps, changeAlerts, resolveAlert } from './change.ts';
import { findCondition } from './conditions.ts';

/** Ends these alerts. An alert of an unknown condition stays, since a newer version may have raised it. */
export async function retireAlerts(deps: AlertDeps, runbook: Runbook): Promise<AlertChange[]> {
  const changes: AlertChange[] = [];
  for (const alert of await listFiringAlerts(deps.db)) {
    if (findCondition(alert)?.isStillMeant(alert, runbook) ?? true) continue;
    const resolution = `${alert.title}: ended, because the runbook no longer has it`;
    changes.push(...(await changeAlerts(deps, runbook, (alerts) => resolveAlert(alerts, alert, resolution))));
  }
  return changes;
}
