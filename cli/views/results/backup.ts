// Results of backup.* and restore.run.
import { backupList, backupRun, restoreRun } from '#shared/operations/backup.ts';
import { escapeForTerminal } from '../../output/escape.ts';
import { formatBytes, formatCount, formatElapsed } from '../../output/quantity.ts';
import { renderTable } from '../../output/table.ts';
import { viewOf } from './result-view.ts';

const LIST_COLUMNS = [{ title: 'BACKUP' }, { title: 'SIZE', align: 'right' as const }, { title: 'UPLOADED' }];

function contentOf({ rows, tables }: { rows: number; tables: number }): string {
  return `${formatCount(rows)} rows in ${tables} ${tables === 1 ? 'table' : 'tables'}`;
}

/** A backup that was taken; its proof comes later. */
export const backupRunView = viewOf(
  backupRun.result,
  ['backupId', 'database', 'bytes', 'tables', 'rows', 'durationMs', 'manifestObject'],
  (backup, _command, { paint }) => {
    const { backupId, database, bytes, durationMs, manifestObject } = backup;
    const took = formatElapsed(durationMs);
    return [
      `backup ${paint.bold(escapeForTerminal(backupId))} of database ${escapeForTerminal(database)}`,
      `  ${formatBytes(bytes)}, ${contentOf(backup)}, taken in ${took}`,
      `  in the bucket as ${escapeForTerminal(manifestObject)}`,
      `  being verified now; the proof: lamp backups`,
      '',
    ].join('\n');
  },
);

/** The backups that the host keeps. */
export const backupListView = viewOf(backupList.result, ['backups'], ({ backups }, _command, context) => {
  if (backups.length === 0) return 'the host keeps no backup\n';
  const rows = backups.map(({ backupId, bytes, isUploaded }) => [
    backupId,
    formatBytes(bytes),
    isUploaded ? 'yes' : 'not yet',
  ]);
  return renderTable(LIST_COLUMNS, rows, context.width, context.paint.dim);
});

/** A restore that went well, and where the data of before is. */
export const restoreView = viewOf(
  restoreRun.result,
  ['backupId', 'database', 'keptAs', 'tables', 'rows', 'durationMs'],
  (restore, _command, { paint }) => {
    const { backupId, database, keptAs, durationMs } = restore;
    return [
      `database ${paint.bold(escapeForTerminal(database))} is restored from ${escapeForTerminal(backupId)}`,
      `  ${contentOf(restore)}, in ${formatElapsed(durationMs)}`,
      `  as it was before, it is kept as ${escapeForTerminal(keptAs)}`,
      '',
    ].join('\n');
  },
);
