// What the end of a command sets going once its report is recorded, as its operation's definition says.
import type { FinishedReport, Report } from '#shared/command/report.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import type { ReportEffect } from '#shared/operations/definition.ts';
import type { Deps } from '../deps.ts';
import { type CommandRecord, findCommand } from '../store/commands.ts';

/** It may run again for the same report and must bear it. */
type Effect = (deps: Deps, command: CommandRecord, report: FinishedReport) => Promise<void>;

const EFFECTS: Record<ReportEffect, Effect> = {
  'record-backup': async (deps, command, report) => {
    if (report.state !== 'succeeded' || command.state !== 'succeeded') return;
    const { recordBackup } = await import('../backup/record.ts');
    // As it was understood, not as it came.
    await recordBackup(deps, { ...report, result: command.result });
  },
  'settle-line': async (deps, command) => {
    const { settleLine } = await import('../alert/settle-line.ts');
    await settleLine(deps, command);
  },
};

/** Runs the effect of a recorded report; throws when it should be tried again. */
export async function runReportEffect(deps: Deps, report: Report): Promise<void> {
  if (report.type !== 'command.finished') return;
  const command = await findCommand(deps.db, report.commandId);
  const effect = command && lookUpOperation(command.operation)?.onRecorded;
  if (!effect || command.dryRun) return;
  await EFFECTS[effect](deps, command, report);
}
