// Lists incidents with their timelines, and acknowledges them.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { acknowledgeIncident } from './acknowledge.ts';
import { parseIncidentName } from './name.ts';
import { listIncidentViews, viewIncident } from './view.ts';

/** Routes of incidents. */
export function incidentRoutes(deps: Pick<Deps, 'db' | 'clock'>): Served[] {
  return [
    serve(ROUTES.listIncidents, ({ query }) => listIncidentViews(deps.db, query)),
    serve(ROUTES.acknowledgeIncident, async ({ params, actor }) =>
      viewIncident(deps.db, await acknowledgeIncident(deps, parseIncidentName(params.id), actor)),
    ),
  ];
}
