// Stores a backup that a host reports and orders its verification, whether or not its objects ever arrive.
import type { FinishedReport } from '#shared/command/report.ts';
import { HostName } from '#shared/names.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import type { Deps } from '../deps.ts';
import { findBackup, insertBackup } from '../store/backups.ts';
import { orderAgainAt, orderVerification } from './request.ts';

/**
 * Records a finished `backup.run`; the same report twice does no harm. Throws `unavailable` when its verification
 * can't be ordered, which is needed here since the event of its manifest may be lost.
 */
export async function recordBackup(
  deps: Pick<Deps, 'db' | 'publisher' | 'clock'>,
  report: FinishedReport,
): Promise<void> {
  const summary = BackupSummary.safeParse(report.result);
  const host = HostName.safeParse(report.host);
  if (!summary.success || !host.success) return;
  const { backupId, database, bytes, tables, rows, durationMs } = summary.data;
  const finishedAt = new Date(report.at);
  await insertBackup(deps.db, {
    host: host.data,
    id: backupId,
    database,
    commandId: report.commandId,
    startedAt: new Date(finishedAt.getTime() - durationMs),
    finishedAt,
    bytes,
    tables,
    rows,
    nextPublishAt: orderAgainAt(deps.clock()),
  });
  const known = await findBackup(deps.db, { host: host.data, id: backupId });
  if (known?.verificationState === 'due') await orderVerification(deps, { host: host.data, backupId });
}
