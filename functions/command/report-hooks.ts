// What else a report sets going, once it is recorded. A hook may run again for the same report and must bear it.
import type { Report } from '#shared/command/report.ts';
import type { Deps } from '../deps.ts';
import { findCommand } from '../store/commands.ts';

/** Runs the hooks of a recorded report; throws when one should be tried again. */
export async function runReportHooks(deps: Deps, report: Report): Promise<void> {
  if (report.type !== 'command.finished' || report.state !== 'succeeded') return;
  const command = await findCommand(deps.db, report.commandId);
  if (command?.operation !== 'backup.run' || command.state !== 'succeeded' || command.dryRun) return;
  const { recordBackup } = await import('../backup/record.ts');
  // As it was understood, not as it came.
  await recordBackup(deps, { ...report, result: command.result });
}
