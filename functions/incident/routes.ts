// Incidents with their timelines, and taking one on.
import * as z from 'zod';
import type { Deps } from '../deps.ts';
import { limitParameter, parseQuery, type Route, type RouteContext } from '../http/route.ts';
import { acknowledgeIncident } from './acknowledge.ts';
import { parseIncidentName } from './name.ts';
import { listIncidentViews, viewIncidents } from './view.ts';

const IncidentQuery = z.lazy(() =>
  z.strictObject({
    /** `unresolved`: open or acknowledged. */
    state: z.enum(['open', 'acknowledged', 'resolved', 'unresolved']).optional(),
    limit: limitParameter(50),
  }),
);

/** Incidents, the newest first. */
export function incidentRoutes(deps: Pick<Deps, 'db' | 'clock'>): Route[] {
  const list = async (context: RouteContext) => ({
    body: await listIncidentViews(deps.db, parseQuery(context, IncidentQuery)),
  });
  const acknowledge = async ({ params, actor }: RouteContext) => {
    const incident = await acknowledgeIncident(deps, parseIncidentName(params.id ?? ''), actor);
    return { body: (await viewIncidents(deps.db, [incident]))[0] };
  };
  return [
    { method: 'GET', path: '/v1/incidents', role: 'viewer', handle: list },
    { method: 'POST', path: '/v1/incidents/:id/ack', role: 'responder', handle: acknowledge },
  ];
}
