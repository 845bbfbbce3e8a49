import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { IncidentView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { EXIT } from './exit.ts';
import { escapeForTerminal } from './output/escape.ts';
import { toJsonText } from './output/json.ts';
import { formatAge, formatClock, formatSpan } from './output/quantity.ts';
import { type Cell, renderTable } from './output/table.ts';
import { addExamples, type Bind, type Session } from './verb.ts';
import { printList, type ViewContext, viewContext } from './view.ts';

export function define(command: Command, bind: Bind): void {
  command
    .argument('[id]', "an incident's id, such as INC-12: shows its timeline")
    .option('--all', 'list resolved incidents, too')
    .action(
      bind(async (session, id: string | undefined, { all }: { all?: boolean }) => {
        const incidents = await session.client().call(ROUTES.listIncidents, {});
        if (id) return showOne(session, id, incidents);
        const shown = all ? incidents : incidents.filter(({ state }) => state !== 'resolved');
        return printList(
          session,
          shown,
          renderIncidents,
          all ? 'No incident so far.' : 'No incident is open.',
        );
      }),
    );
  addExamples(command, 'lamp incidents', 'lamp incidents INC-12');
}

function showOne(session: Session, id: string, incidents: IncidentView[]): number {
  // As the API takes it: INC-12, inc-12 or 12.
  const wanted = /^\d+$/.test(id) ? `inc-${id}` : id.toLowerCase();
  const incident = incidents.find((candidate) => candidate.id.toLowerCase() === wanted);
  if (!incident) {
    throw new LamplighterError('not-found', `find incident ${id}: there is no such incident`, {
      hint: '`lamp incidents --all` lists them.',
    });
  }
  session.io.out(session.isJson ? toJsonText(incident) : renderIncident(incident, viewContext(session)));
  return EXIT.done;
}

export function defineAck(command: Command, bind: Bind): void {
  command.argument('<incident>', "the incident's id, such as INC-12").action(
    bind(async (session, id: string) => {
      const incident = await session.client().call(ROUTES.acknowledgeIncident, { params: { id } });
      session.io.out(session.isJson ? toJsonText(incident) : renderIncident(incident, viewContext(session)));
      return EXIT.done;
    }),
  );
  addExamples(command, 'lamp ack INC-12');
}

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
