// Which view shows the result of which operation.
import * as z from 'zod';
import type { CommandView } from '#shared/api/views.ts';
import { backupList, backupRun, restoreKept, restoreRun } from '#shared/operations/backup.ts';
import { dbConnections, dbReady, dbSessions } from '#shared/operations/db.ts';
import { diskClean, diskUsage } from '#shared/operations/disk.ts';
import { hostVitals } from '#shared/operations/host.ts';
import { jobsReset, jobsStuck } from '#shared/operations/jobs.ts';
import { serviceLogs } from '#shared/operations/logs.ts';
import { memoryTop } from '#shared/operations/memory.ts';
import {
  serviceReload,
  serviceRestart,
  serviceStart,
  serviceStatus,
  serviceStop,
} from '#shared/operations/service.ts';
import { backupListView, backupRunView, keptView, restoreView } from '../backup/results.ts';
import { connectionsView, readyView, sessionsView } from '../database/results.ts';
import { cleanView, usageView } from '../disk/results.ts';
import { vitalsView } from '../host.ts';
import { resetView, stuckView } from '../jobs/results.ts';
import { memoryView } from '../memory/results.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { displayWidth, wrapText } from '../output/width.ts';
import { logsView, statusView, unitView } from '../service/results.ts';
import type { ViewContext } from '../view.ts';
import { inSchemaOrder, type ResultView, renderFields, viewOf } from './result-view.ts';

const VIEWS: ReadonlyMap<string, ResultView> = new Map([
  [serviceStatus.name, statusView],
  [serviceStart.name, unitView],
  [serviceStop.name, unitView],
  [serviceRestart.name, unitView],
  [serviceReload.name, unitView],
  [serviceLogs.name, logsView],
  [hostVitals.name, vitalsView],
  [dbReady.name, readyView],
  [dbConnections.name, connectionsView],
  [dbSessions.name, sessionsView],
  [jobsStuck.name, stuckView],
  [jobsReset.name, resetView],
  [memoryTop.name, memoryView],
  [diskUsage.name, usageView],
  [diskClean.name, cleanView],
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

// What a dry run says: the steps in their order, numbered.

const Plan = z.object({
  plan: z.array(z.object({ step: z.string(), does: z.string(), exactly: z.array(z.string()).optional() })),
});
const INDENT = 2;

/** The plan of any operation. */
export const planView = viewOf(Plan, ['plan'], ({ plan }, _command, { paint, width }) => {
  if (plan.length === 0) return '  nothing to do\n';
  const numberWidth = String(plan.length).length;
  const nameWidth = Math.max(...plan.map(({ step }) => displayWidth(escapeForTerminal(step))));
  const hanging = INDENT + numberWidth + 2 + nameWidth + 2;
  const lines = plan.map(({ step, does, exactly }, i) => {
    const name = escapeForTerminal(step);
    const padding = ' '.repeat(nameWidth - displayWidth(name));
    const [first = '', ...rest] = wrapText(escapeForTerminal(does), width - hanging);
    const number = String(i + 1).padStart(INDENT + numberWidth);
    const items = exactly?.map((item) => `- ${escapeForTerminal(item)}`) ?? [];
    const nothing = exactly?.length === 0 ? ['- nothing'] : [];
    const more = [...rest, ...items, ...nothing].map((line) => `${' '.repeat(hanging)}${line}\n`).join('');
    return `${number}. ${paint.bold(name)}${padding}  ${first}\n${more}`;
  });
  return `it would take ${plan.length === 1 ? 'one step' : `${plan.length} steps`}:\n${lines.join('')}`;
});
