import type { IncidentView } from '#shared/api/views.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatAge, formatClock, formatSpan } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

const COLUMNS = [
  { title: 'INCIDENT' },
  { title: 'SEV' },
  { title: 'STATE' },
  { title: 'OPENED', dispensable: 1 },
  { title: 'RESPOND', dispensable: 2 },
  { title: 'TITLE', flexible: true, least: 20 },
];

/** What the response clock says: who took it, how long is left, or how late it is. */
function responseOf(incident: IncidentView, { paint, nowMs }: ViewContext): Cell {
  if (incident.acknowledgedBy) return { text: `by ${incident.acknowledgedBy}` };
  if (incident.state !== 'open') return { text: '-' };
  const leftMs = Date.parse(incident.respondBy) - nowMs;
  return leftMs > 0
    ? { text: `within ${formatSpan(leftMs)}`, paint: paint.yellow }
    : { text: `late by ${formatSpan(-leftMs)}`, paint: paint.red };
}

/** Incidents, one line each. */
export function renderIncidents(incidents: IncidentView[], context: ViewContext): string {
  const { paint, width, nowMs } = context;
  const paints = { open: paint.red, acknowledged: paint.yellow, resolved: paint.green };
  const rows = incidents.map((incident): (string | Cell)[] => [
    incident.id,
    incident.severity,
    { text: incident.state, paint: paints[incident.state] },
    formatAge(incident.openedAt, nowMs),
    responseOf(incident, context),
    incident.title,
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}

/** One incident with its timeline. */
export function renderIncident(incident: IncidentView, context: ViewContext): string {
  const lines = incident.timeline.map(({ at, text, actor }) => {
    const by = actor ? context.paint.dim(` (${escapeForTerminal(actor)})`) : '';
    return `  ${formatClock(at)}  ${escapeForTerminal(text)}${by}\n`;
  });
  return `${renderIncidents([incident], context)}\n${lines.join('')}`;
}
