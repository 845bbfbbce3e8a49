import type { ServiceView } from '#shared/api/views.ts';
import { formatAge } from '../output/quantity.ts';
import type { Palette } from '../output/style.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from '../view.ts';

const COLUMNS = [
  { title: 'SERVICE' },
  { title: 'STATE' },
  { title: 'SINCE', dispensable: 4 },
  { title: 'RESTARTS', align: 'right' as const, dispensable: 1 },
  { title: 'HOST', dispensable: 2 },
  { title: 'UNIT', flexible: true, least: 12, dispensable: 3 },
];

/** Columns of units, where no service is spoken of. */
export const UNIT_COLUMNS = [
  { title: 'UNIT', flexible: true, least: 16 },
  { title: 'STATE' },
  { title: 'SINCE', dispensable: 3 },
  { title: 'RESTARTS', align: 'right' as const, dispensable: 1 },
  { title: 'MEMORY', align: 'right' as const, dispensable: 2 },
];

/** What systemd says of a unit, as one cell. */
export function unitState(
  { activeState, subState }: Pick<ServiceView, 'activeState' | 'subState'>,
  paint: Palette,
): Cell {
  const tint = activeState === 'active' ? paint.green : activeState === 'failed' ? paint.red : paint.yellow;
  // "unknown (unknown)" says no more than "unknown".
  const isSame = subState === '' || subState === activeState;
  return { text: isSame ? activeState : `${activeState} (${subState})`, paint: tint };
}

/** Services as systemd sees them. */
export function renderServices(services: ServiceView[], { paint, width, nowMs }: ViewContext): string {
  const rows = services.map((service): (string | Cell)[] => [
    service.name,
    unitState(service, paint),
    formatAge(service.activeSince, nowMs),
    String(service.restarts ?? '-'),
    service.host,
    service.unit,
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}
