// A backup that a host reports is known from then on, whether or not its objects ever come: one whose manifest never came
// is found by the daily round.
import type { FinishedReport } from '#shared/command/report.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import type { Deps } from '../deps.ts';
import { insertBackup } from '../store/backups.ts';

/** Records a finished `backup.run`; the same report twice does no harm. */
export async function recordBackup(deps: Pick<Deps, 'db'>, report: FinishedReport): Promise<void> {
  const summary = BackupSummary.safeParse(report.result);
  if (!summary.success) return;
  const { backupId, database, bytes, tables, rows, durationMs } = summary.data;
  const finishedAt = new Date(report.at);
  await insertBackup(deps.db, {
    host: report.host,
    id: backupId,
    database,
    commandId: report.commandId,
    startedAt: new Date(finishedAt.getTime() - durationMs),
    finishedAt,
    bytes,
    tables,
    rows,
  });
}
