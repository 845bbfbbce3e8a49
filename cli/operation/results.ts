// Which view shows the result of which operation.
import type { CommandView } from '#shared/api/views.ts';
import { backupListView, backupRunView, keptView, restoreView } from '../backup/results.ts';
import { vitalsView } from '../host.ts';
import { logsView, statusView, unitView } from '../service/results.ts';
import type { ViewContext } from '../views/context.ts';
import { inSchemaOrder, renderFields } from './fields.ts';
import { planView } from './plan.ts';
import type { ResultView } from './result-view.ts';

const VIEWS: ReadonlyMap<string, ResultView> = new Map([
  ['service.status', statusView],
  ['service.start', unitView],
  ['service.stop', unitView],
  ['service.restart', unitView],
  ['service.reload', unitView],
  ['service.logs', logsView],
  ['host.vitals', vitalsView],
  ['backup.run', backupRunView],
  ['backup.list', backupListView],
  ['restore.run', restoreView],
  ['restore.kept', keptView],
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
