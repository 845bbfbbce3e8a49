// Which view shows the result of which operation.
import type { CommandView } from '#shared/api/views.ts';
import { backupList, backupRun, restoreKept, restoreRun } from '#shared/operations/backup.ts';
import { hostVitals } from '#shared/operations/host.ts';
import {
  serviceLogs,
  serviceReload,
  serviceRestart,
  serviceStart,
  serviceStatus,
  serviceStop,
} from '#shared/operations/service.ts';
import type { ViewContext } from '../context.ts';
import { backupListView, backupRunView, keptView, restoreView } from './backup.ts';
import { inSchemaOrder, renderFields } from './fields.ts';
import { vitalsView } from './host.ts';
import { planView } from './plan.ts';
import type { ResultView } from './result-view.ts';
import { logsView, statusView, unitView } from './service.ts';

const VIEWS: ReadonlyMap<string, ResultView> = new Map([
  [serviceStatus.name, statusView],
  [serviceStart.name, unitView],
  [serviceStop.name, unitView],
  [serviceRestart.name, unitView],
  [serviceReload.name, unitView],
  [serviceLogs.name, logsView],
  [hostVitals.name, vitalsView],
  [backupRun.name, backupRunView],
  [backupList.name, backupListView],
  [restoreRun.name, restoreView],
  [restoreKept.name, keptView],
]);

/** What a command returned, for people; nothing when it returned nothing. */
export function renderResult(command: CommandView, context: ViewContext): string {
  if (command.result === null || command.result === undefined) return '';
  // A dry run of a read does the read.
  const plan = command.dryRun ? planView(command, context) : undefined;
  return (
    plan ??
    VIEWS.get(command.operation)?.(command, context) ??
    renderFields(inSchemaOrder(command.operation, command.result))
  );
}
