import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import { EXIT } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { addExamples, type Bind } from '../verb.ts';
import { viewContext } from '../view.ts';
import { renderIncident } from '../views/incidents.ts';

export function define(command: Command, bind: Bind): void {
  command.argument('<incident>', "the incident's id, such as INC-12").action(
    bind(async (session, id: string) => {
      const incident = await session.client().call(ROUTES.acknowledgeIncident, { params: { id } });
      session.io.out(session.isJson ? toJsonText(incident) : renderIncident(incident, viewContext(session)));
      return EXIT.done;
    }),
  );
  addExamples(command, 'lamp ack INC-12');
}
