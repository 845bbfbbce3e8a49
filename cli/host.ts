// Results of host.*: the machine itself.
import { hostVitals } from '#shared/operations/host.ts';
import { viewOf } from './operation/result-view.ts';
import { joinFitting } from './output/line.ts';
import { formatAge, formatBytes, formatSpan } from './output/quantity.ts';
import { type Cell, renderTable } from './output/table.ts';
import { UNIT_COLUMNS, unitState } from './service/services.ts';
import type { ViewContext } from './view.ts';

const DISK_COLUMNS = [
  { title: 'DISK', flexible: true },
  { title: 'SIZE', align: 'right' as const },
  { title: 'FREE', align: 'right' as const },
  { title: 'USED', align: 'right' as const },
];

/** How much is taken, in whole per cent. */
export function usedShare(free: number, total: number): string {
  return `${100 - Math.round((100 * free) / Math.max(1, total))} %`;
}

type Vitals = (typeof hostVitals)['result']['_output'];

function renderDisks(disks: Vitals['disks'], { paint, width }: ViewContext): string {
  const rows = disks.map(({ mount, totalBytes, freeBytes }) => [
    mount,
    formatBytes(totalBytes),
    formatBytes(freeBytes),
    usedShare(freeBytes, totalBytes),
  ]);
  return renderTable(DISK_COLUMNS, rows, width, paint.dim);
}

function renderUnits(units: Vitals['units'], { paint, width, nowMs }: ViewContext): string {
  const rows = units.map((unit): (string | Cell)[] => [
    unit.unit,
    unitState(unit, paint),
    formatAge(unit.activeSince, nowMs),
    String(unit.restarts),
    unit.memoryBytes === null ? '-' : formatBytes(unit.memoryBytes),
  ]);
  return renderTable(UNIT_COLUMNS, rows, width, paint.dim);
}

const SHOWN = ['bootId', 'uptimeS', 'load', 'memory', 'disks', 'units'] as const;

/** Load, memory, disks and units of a host. */
export const vitalsView = viewOf(hostVitals.result, SHOWN, (vitals, _command, context) => {
  const { uptimeS, load, memory, disks, units } = vitals;
  const used = formatBytes(memory.totalBytes - memory.availableBytes);
  const share = usedShare(memory.availableBytes, memory.totalBytes);
  const facts = [
    `up ${formatSpan(uptimeS * 1000)}`,
    `load ${load.map((value) => value.toFixed(2)).join(' ')}`,
    `memory ${used} of ${formatBytes(memory.totalBytes)} (${share})`,
  ];
  const head = joinFitting(
    facts.map((text) => ({ text })),
    context.width,
  );
  const tables = [
    ...(disks.length > 0 ? [renderDisks(disks, context)] : []),
    ...(units.length > 0 ? [renderUnits(units, context)] : []),
  ];
  return [`${head}\n`, ...tables].join('\n');
});
