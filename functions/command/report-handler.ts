// Entry point `report`: reports of agents and runners, pushed by Pub/Sub, and what the end of a command sets going.
import type { FinishedReport, Report } from '#shared/command/report.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import type { ReportEffect } from '#shared/operations/definition.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { pushHandler } from '../http/private.ts';
import { type CommandRecord, findCommand } from '../store/commands.ts';
import { recordReport } from './record-report.ts';

/** Verifies and records one report. A report that does not count is written down and acknowledged. */
export function handleReport(deps: Deps): Handler {
  return pushHandler(deps, async (message) => {
    const { outcome, report } = await recordReport(deps, message);
    if (report) await runReportEffect(deps, report);
    return outcome;
  });
}

/** May run again for the same report, and then changes nothing. */
type Effect = (deps: Deps, command: CommandRecord, report: FinishedReport) => Promise<void>;

const EFFECTS: Record<ReportEffect, Effect> = {
  'record-backup': async (deps, command, report) => {
    if (report.state !== 'succeeded' || command.state !== 'succeeded') return;
    const { recordBackup } = await import('../backup/record.ts');
    // The stored result: it was held against the operation's definition.
    await recordBackup(deps, { ...report, result: command.result });
  },
  'conclude-line': async (deps, command) => {
    const { concludeLine } = await import('../alert/conclude-line.ts');
    await concludeLine(deps, command);
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
