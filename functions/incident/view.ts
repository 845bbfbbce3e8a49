// Incidents as the API shows them.
import type { IncidentView } from '#shared/api/views.ts';
import type { Queryable } from '../store/database.ts';
import {
  type Incident,
  type IncidentEvent,
  type IncidentFilter,
  listIncidents,
  listTimelines,
} from '../store/incidents.ts';
import { incidentName } from './name.ts';

function toView(incident: Incident, timeline: readonly IncidentEvent[]): IncidentView {
  return {
    id: incidentName(incident.number),
    severity: incident.severity,
    state: incident.state,
    title: incident.title,
    openedAt: incident.openedAt.toISOString(),
    acknowledgedAt: incident.acknowledgedAt?.toISOString() ?? null,
    acknowledgedBy: incident.acknowledgedBy,
    respondBy: incident.respondBy.toISOString(),
    resolvedAt: incident.resolvedAt?.toISOString() ?? null,
    timeline: timeline.map((event) => ({ ...event, at: event.at.toISOString() })),
  };
}

/** An incident with its timeline. */
export async function viewIncident(db: Queryable, incident: Incident): Promise<IncidentView> {
  const timelines = await listTimelines(db, [incident.number]);
  return toView(incident, timelines.get(incident.number) ?? []);
}

/** The newest incidents first, with their timelines. */
export async function listIncidentViews(db: Queryable, filter: IncidentFilter): Promise<IncidentView[]> {
  const incidents = await listIncidents(db, filter);
  const timelines = await listTimelines(
    db,
    incidents.map(({ number }) => number),
  );
  return incidents.map((incident) => toView(incident, timelines.get(incident.number) ?? []));
}
