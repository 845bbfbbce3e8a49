// What else a report sets going, once it is recorded. A hook may run again for the same report and must bear it.
import type { Report } from '#shared/command/report.ts';
import { alertAppend } from '#shared/operations/alert.ts';
import { backupRun } from '#shared/operations/backup.ts';
import type { Deps } from '../deps.ts';
import { findCommand } from '../store/commands.ts';

/** Runs the hooks of a recorded report; throws when one should be tried again. */
export async function runReportHooks(deps: Deps, report: Report): Promise<void> {
  if (report.type !== 'command.finished') return;
  const command = await findCommand(deps.db, report.commandId);
  if (!command || command.dryRun) return;
  if (command.operation === alertAppend.name) {
    const { settleLine } = await import('../alert/settle-line.ts');
    await settleLine(deps, command);
  }
  // As it was understood, not as it came.
  if (command.operation === backupRun.name && report.state === 'succeeded' && command.state === 'succeeded') {
    const { recordBackup } = await import('../backup/record.ts');
    await recordBackup(deps, { ...report, result: command.result });
  }
}
