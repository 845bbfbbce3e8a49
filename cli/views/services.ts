import type { ServiceView } from '#shared/api/views.ts';
import { formatAge } from '../output/quantity.ts';
import type { Paint, Palette } from '../output/style.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

const COLUMNS = [
  { title: 'SERVICE' },
  { title: 'STATE' },
  { title: 'SINCE' },
  { title: 'RESTARTS', align: 'right' as const },
  { title: 'HOST' },
  { title: 'UNIT' },
];

function paintOf(activeState: string, paint: Palette): Paint {
  if (activeState === 'active') return paint.green;
  return activeState === 'failed' ? paint.red : paint.yellow;
}

/** Services as systemd sees them. */
export function renderServices(services: ServiceView[], { paint, width, nowMs }: ViewContext): string {
  const rows = services.map((service): (string | Cell)[] => [
    service.name,
    {
      text: service.subState ? `${service.activeState} (${service.subState})` : service.activeState,
      paint: paintOf(service.activeState, paint),
    },
    formatAge(service.activeSince, nowMs),
    String(service.restarts ?? '-'),
    service.host,
    service.unit,
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}
