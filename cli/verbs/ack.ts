import type { Command } from 'commander';
import { IncidentView } from '#shared/api/views.ts';
import { pathSegment } from '../api/path.ts';
import { EXIT } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { renderIncident } from '../views/incidents.ts';
import { viewContext } from './show-list.ts';
import { addExamples, type Bind } from './verb.ts';

export function define(command: Command, bind: Bind): void {
  command.argument('<incident>', "the incident's id, such as INC-12").action(
    bind(async (session, id: string) => {
      const path = `/v1/incidents/${pathSegment(id)}/ack`;
      const incident = await session.client().call('POST', path, IncidentView, { body: '{}' });
      session.io.out(session.isJson ? toJsonText(incident) : renderIncident(incident, viewContext(session)));
      return EXIT.done;
    }),
  );
  addExamples(command, 'lamp ack INC-12');
}
