import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { IncidentView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { EXIT } from './exit.ts';
import { toJsonText } from './output/json.ts';
import { addExamples, type Bind, type Session } from './verb.ts';
import { printList, viewContext } from './view.ts';
import { renderIncident, renderIncidents } from './views/incidents.ts';

export function define(command: Command, bind: Bind): void {
  command
    .argument('[id]', "an incident's id, such as INC-12: shows its timeline")
    .option('--all', 'resolved ones too')
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
