// The result of memory.top: who uses the host's memory.
import { memoryTop } from '#shared/operations/memory.ts';
import { usedShare } from '../host.ts';
import { viewOf } from '../operation/result-view.ts';
import { joinFitting } from '../output/line.ts';
import { formatBytes } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';

const UNIT_COLUMNS = [
  { title: 'UNIT', flexible: true },
  { title: 'PROCESSES', align: 'right' as const },
  { title: 'RESIDENT', align: 'right' as const },
  { title: 'SHARE', align: 'right' as const },
  { title: 'WITH CACHE', align: 'right' as const, dispensable: 1 },
  { title: 'PEAK', align: 'right' as const, dispensable: 2 },
  { title: 'OOM KILLS', align: 'right' as const },
];
const PROCESS_COLUMNS = [
  { title: 'PID', align: 'right' as const },
  { title: 'PROGRAM', flexible: true },
  { title: 'USER', flexible: true },
  { title: 'UNIT', flexible: true, dispensable: 1 },
  { title: 'RESIDENT', align: 'right' as const },
  { title: 'SHARE', align: 'right' as const },
];

/** Memory in all, by unit and by process, the largest first. */
export const memoryView = viewOf(
  memoryTop.result,
  ['memory', 'oomKills', 'processes', 'units', 'processesInAll'],
  ({ memory, oomKills, processes, units, processesInAll }, _command, { paint, width }) => {
    const { totalBytes, availableBytes, swapTotalBytes, swapFreeBytes } = memory;
    const bytesOr = (bytes: number | null): string => (bytes === null ? '-' : formatBytes(bytes));
    const share = (bytes: number): string => `${((100 * bytes) / Math.max(1, totalBytes)).toFixed(1)} %`;
    const used = `memory ${formatBytes(totalBytes - availableBytes)} of ${formatBytes(totalBytes)} (${usedShare(availableBytes, totalBytes)})`;
    const swap =
      swapTotalBytes === 0
        ? 'no swap'
        : `swap ${formatBytes(swapTotalBytes - swapFreeBytes)} of ${formatBytes(swapTotalBytes)}`;
    const killed = `${oomKills ?? 0} OOM kills since boot`;
    const kills =
      oomKills === null ? [] : [oomKills > 0 ? { text: killed, shown: paint.red(killed) } : { text: killed }];
    const head = joinFitting([{ text: used }, { text: swap }, ...kills], width);
    const unitRows = units.map((unit): (string | Cell)[] => [
      unit.unit,
      String(unit.processes),
      formatBytes(unit.residentBytes),
      share(unit.residentBytes),
      bytesOr(unit.bytes),
      bytesOr(unit.peakBytes),
      {
        text: unit.oomKills === null ? '-' : String(unit.oomKills),
        paint: unit.oomKills ? paint.red : undefined,
      },
    ]);
    const processRows = processes.map(({ pid, name, user, unit, residentBytes }) => [
      String(pid),
      name,
      user,
      unit ?? '-',
      formatBytes(residentBytes),
      share(residentBytes),
    ]);
    const more = processesInAll - processes.length;
    return [
      `${head}\n`,
      ...(units.length > 0 ? [renderTable(UNIT_COLUMNS, unitRows, width, paint.dim)] : []),
      renderTable(PROCESS_COLUMNS, processRows, width, paint.dim) +
        (more > 0 ? `${more} smaller processes are not shown\n` : ''),
    ].join('\n');
  },
);
