// Results of disk.*: how full the disks are, by what, and what a clean-up freed.
import { type DiskPlace, diskClean, diskUsage } from '#shared/operations/disk.ts';
import { usedShare } from '../host.ts';
import { viewOf } from '../operation/result-view.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatAge, formatBytes, formatCount } from '../output/quantity.ts';
import { renderTable } from '../output/table.ts';
import type { ViewContext } from '../view.ts';

const LARGEST_COLUMNS = [
  { title: 'SIZE', align: 'right' as const },
  { title: 'KIND' },
  { title: 'LARGEST', flexible: true },
];

function headOf(place: DiskPlace, { paint }: ViewContext): string {
  const { path, totalBytes, freeBytes, totalInodes, freeInodes, usedBytes, isPartial } = place;
  const room =
    totalBytes === null || freeBytes === null
      ? []
      : [
          `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free (${usedShare(freeBytes, totalBytes)} used)`,
        ];
  const inodes =
    totalInodes === null || freeInodes === null || totalInodes === 0
      ? []
      : [`${usedShare(freeInodes, totalInodes)} of the inodes used`];
  const own = usedBytes === null ? [] : [`${formatBytes(usedBytes)} below it`];
  const partial = isPartial ? [paint.yellow('not all of it was seen in time')] : [];
  const fault = place.fault === undefined ? [] : [paint.red(escapeForTerminal(place.fault))];
  const facts = [...own, ...room, ...inodes, ...partial, ...fault].join(', ');
  return `${paint.bold(escapeForTerminal(path))}: ${facts}\n`;
}

/** Each folder with its file system and its largest entries. */
export const usageView = viewOf(diskUsage.result, ['places'], ({ places }, _command, context) =>
  places
    .map((place) => {
      const rows = place.largest.map(({ path, kind, bytes }) => [formatBytes(bytes), kind, path]);
      const table =
        rows.length > 0 ? renderTable(LARGEST_COLUMNS, rows, context.width, context.paint.dim) : '';
      return headOf(place, context) + table;
    })
    .join('\n'),
);

const REMOVED_COLUMNS = [
  { title: 'REMOVED', flexible: true },
  { title: 'SIZE', align: 'right' as const },
  { title: 'CHANGED' },
];
const LEFT_COLUMNS = [
  { title: 'LEFT', flexible: true },
  { title: 'WHY', flexible: true },
];

/** What a clean-up freed, and what it left. */
export const cleanView = viewOf(
  diskClean.result,
  ['folder', 'freedBytes', 'freeBytes', 'removed', 'left', 'more'],
  ({ folder, freedBytes, freeBytes, removed, left, more }, _command, { paint, width, nowMs }) => {
    const files = `${formatCount(removed.length)} ${removed.length === 1 ? 'file' : 'files'}`;
    const freed = paint.bold(`${formatBytes(freedBytes)} freed`);
    const head = `${freed}: ${files} removed from ${escapeForTerminal(folder)}; ${formatBytes(freeBytes)} are free now\n`;
    const gone = removed.map(({ name, bytes, changedAt }) => [
      name,
      formatBytes(bytes),
      formatAge(changedAt, nowMs),
    ]);
    const tables = [
      ...(gone.length > 0 ? [renderTable(REMOVED_COLUMNS, gone, width, paint.dim)] : []),
      ...(left.length > 0
        ? [
            renderTable(
              LEFT_COLUMNS,
              left.map(({ name, why }) => [name, why]),
              width,
              paint.dim,
            ),
          ]
        : []),
      ...(more > 0 ? [`${formatCount(more)} more could go: run it again\n`] : []),
    ];
    return [head, ...tables].join('\n');
  },
);
