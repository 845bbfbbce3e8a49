import type { CheckView } from '#shared/api/views.ts';
import { formatAge } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

const COLUMNS = [
  { title: 'CHECK' },
  { title: 'STATE' },
  { title: 'SINCE', dispensable: 3 },
  { title: 'LAST RUN', dispensable: 1 },
  { title: 'LATENCY', align: 'right' as const, dispensable: 2 },
  { title: 'DETAIL', flexible: true, least: 20 },
];

/** Checks from outside and what they last saw. */
export function renderChecks(checks: CheckView[], { paint, width, nowMs }: ViewContext): string {
  const paints = { passing: paint.green, failing: paint.red, unknown: paint.yellow };
  const rows = checks.map((check): (string | Cell)[] => [
    check.name,
    { text: check.state, paint: paints[check.state] },
    formatAge(check.since, nowMs),
    formatAge(check.lastRunAt, nowMs),
    check.latencyMs === null ? '-' : `${Math.round(check.latencyMs)} ms`,
    check.detail ?? '',
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}
