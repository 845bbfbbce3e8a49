// Results of backup.* and restore.run.

import type * as z from 'zod';
import { backupList, backupRun, restoreKept, restoreRun } from '#shared/operations/backup.ts';
import { viewOf } from '../operation/result-view.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatAge, formatBytes, formatCount, formatElapsed } from '../output/quantity.ts';
import { renderTable } from '../output/table.ts';

type RestoreResult = z.infer<typeof restoreRun.result>;

const LIST_COLUMNS = [{ title: 'BACKUP' }, { title: 'SIZE', align: 'right' as const }, { title: 'UPLOADED' }];

function contentOf({ rows, tables }: { rows: number; tables: number }): string {
  return `${formatCount(rows)} rows in ${tables} ${tables === 1 ? 'table' : 'tables'}`;
}

/** A backup that was taken; its proof comes later. */
export const backupRunView = viewOf(
  backupRun.result,
  [
    'backupId',
    'database',
    'bytes',
    'tables',
    'rows',
    'durationMs',
    'manifestObject',
    'isEncrypted',
    'leftOut',
  ],
  (backup, _command, { paint }) => {
    const { backupId, database, bytes, durationMs, manifestObject, isEncrypted, leftOut = [] } = backup;
    const took = formatElapsed(durationMs);
    return [
      `backup ${paint.bold(escapeForTerminal(backupId))} of database ${escapeForTerminal(database)}`,
      `  ${formatBytes(bytes)}, ${contentOf(backup)}, taken in ${took}`,
      `  in the bucket as ${escapeForTerminal(manifestObject)}`,
      ...(isEncrypted
        ? ["  encrypted to the recipients of the host's policy; a restore needs an identity"]
        : []),
      ...leftOut.map((path) =>
        paint.yellow(`  left out: ${escapeForTerminal(path)} (behind a link that is not root's)`),
      ),
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

function tellLeft(
  { refused, refusedInAll, leftOut }: Pick<RestoreResult, 'refused' | 'refusedInAll' | 'leftOut'>,
  paint: (text: string) => string,
): string[] {
  const more = refusedInAll - refused.length;
  return [
    ...(refusedInAll === 0 ? [] : [paint(`  PostgreSQL refused ${refusedInAll}:`)]),
    ...refused.map(({ what, why }) => `    ${escapeForTerminal(what)}: ${escapeForTerminal(why)}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
    ...leftOut.map((what) => `  left out: ${escapeForTerminal(what)}; create it again by hand`),
  ];
}

/** A restore that went well, and where the data of before is. */
export const restoreView = viewOf(
  restoreRun.result,
  ['backupId', 'database', 'keptAs', 'tables', 'rows', 'refused', 'refusedInAll', 'leftOut', 'durationMs'],
  (restore, _command, { paint }) => {
    const { backupId, database, keptAs, durationMs } = restore;
    return [
      `database ${paint.bold(escapeForTerminal(database))} is restored from ${escapeForTerminal(backupId)}`,
      `  ${contentOf(restore)}, in ${formatElapsed(durationMs)}`,
      `  as it was before, it is kept as ${escapeForTerminal(keptAs)}`,
      ...tellLeft(restore, paint.yellow),
      '',
    ].join('\n');
  },
);

const KEPT_COLUMNS = [
  { title: 'DATABASE' },
  { title: 'BEFORE A RESTORE OF' },
  { title: 'PUT ASIDE' },
  { title: 'SIZE', align: 'right' as const },
];

/** The databases that restores have put aside. */
export const keptView = viewOf(restoreKept.result, ['kept'], ({ kept }, _command, context) => {
  if (kept.length === 0) return 'no restore has put a database aside\n';
  const rows = kept.map(({ name, database, keptAt, bytes }) => [
    name,
    database,
    formatAge(keptAt, context.nowMs),
    formatBytes(bytes),
  ]);
  return renderTable(KEPT_COLUMNS, rows, context.width, context.paint.dim);
});
