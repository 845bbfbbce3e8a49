// Incidents, at most one open per host, and their timelines.
import * as z from 'zod';
import { Severity } from '#shared/severity.ts';
import { IncidentState } from '#shared/states.ts';
import { INCIDENT_MOVES } from '../incident/state.ts';
import type { AlertKey } from './alerts.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';

export const Incident = z.lazy(() =>
  z.object({
    number: z.number(),
    host: z.string(),
    severity: Severity,
    state: IncidentState,
    title: z.string(),
    openedAt: z.date(),
    respondBy: z.date(),
    acknowledgedAt: z.date().nullable(),
    acknowledgedBy: z.string().nullable(),
    resolvedAt: z.date().nullable(),
  }),
);
export type Incident = z.infer<typeof Incident>;

const COLUMNS = `number, host, severity, state, title, opened_at AS "openedAt", respond_by AS "respondBy",
  acknowledged_at AS "acknowledgedAt", acknowledged_by AS "acknowledgedBy", resolved_at AS "resolvedAt"`;

const UNRESOLVED: readonly IncidentState[] = INCIDENT_MOVES.calm.from;

/** A host's incident that is not resolved, locked. */
export async function lockOpenIncident(tx: Queryable, host: string): Promise<Incident | undefined> {
  return await queryRow(
    tx,
    Incident,
    `SELECT ${COLUMNS} FROM incidents WHERE host = $1 AND state = ANY ($2) FOR UPDATE`,
    [host, UNRESOLVED],
  );
}

export async function findIncident(db: Queryable, number: number): Promise<Incident | undefined> {
  return await queryRow(db, Incident, `SELECT ${COLUMNS} FROM incidents WHERE number = $1`, [number]);
}

/** The alert whose title and severity an incident has. */
interface Cause {
  cause: string;
}

/** Opens an incident and returns its number. */
export async function insertIncident(
  tx: Queryable,
  incident: Pick<Incident, 'host' | 'severity' | 'title' | 'openedAt' | 'respondBy'> & Cause,
): Promise<number> {
  const row = await queryRow(
    tx,
    z.object({ number: z.number() }),
    `INSERT INTO incidents (host, severity, state, title, opened_at, respond_by, cause)
     VALUES ($1, $2, 'open', $3, $4, $5, $6) RETURNING number`,
    [incident.host, incident.severity, incident.title, incident.openedAt, incident.respondBy, incident.cause],
  );
  return z.number().parse(row?.number);
}

/** Raises an incident's severity; an acknowledgement stays. */
export async function raiseIncident(
  tx: Queryable,
  number: number,
  to: Pick<Incident, 'severity' | 'title' | 'respondBy'> & Cause,
): Promise<void> {
  await tx.query(
    'UPDATE incidents SET severity = $2, title = $3, respond_by = $4, cause = $5 WHERE number = $1',
    [number, to.severity, to.title, to.respondBy, to.cause],
  );
}

/** Gives an incident the title of another alert, if `cause` is the alert whose title it has. */
export async function renameIncident(
  tx: Queryable,
  number: number,
  cause: string,
  by: { id: string; title: string },
): Promise<void> {
  await tx.query('UPDATE incidents SET title = $4, cause = $3 WHERE number = $1 AND cause = $2', [
    number,
    cause,
    by.id,
    by.title,
  ]);
}

/** Marks an open incident as acknowledged; true when this call did it. */
export async function markAcknowledged(
  tx: Queryable,
  number: number,
  by: { at: Date; name: string },
): Promise<boolean> {
  const { from, to } = INCIDENT_MOVES.acknowledged;
  const { rowCount } = await tx.query(
    `UPDATE incidents SET state = $5, acknowledged_at = $2, acknowledged_by = $3
     WHERE number = $1 AND state = ANY ($4)`,
    [number, by.at, by.name, from, to],
  );
  return rowCount > 0;
}

/** Marks an incident as resolved; true when this call did it. */
export async function markResolved(tx: Queryable, number: number, at: Date): Promise<boolean> {
  const { from, to } = INCIDENT_MOVES.calm;
  const { rowCount } = await tx.query(
    'UPDATE incidents SET state = $4, resolved_at = $2 WHERE number = $1 AND state = ANY ($3)',
    [number, at, from, to],
  );
  return rowCount > 0;
}

export const IncidentEvent = z.lazy(() =>
  z.object({
    at: z.date(),
    kind: z.string(),
    text: z.string(),
    actor: z.string().nullable(),
  }),
);
export type IncidentEvent = z.infer<typeof IncidentEvent>;

/** Adds a line to an incident's timeline; the row is locked first, so that concurrent lines get different numbers. */
export async function appendIncidentEvent(
  tx: Queryable,
  number: number,
  event: IncidentEvent & { alert?: string },
): Promise<void> {
  await tx.query('SELECT 1 FROM incidents WHERE number = $1 FOR UPDATE', [number]);
  await tx.query(
    `INSERT INTO incident_events (incident, seq, at, kind, text, actor, alert)
     SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6 FROM incident_events WHERE incident = $1`,
    [number, event.at, event.kind, event.text, event.actor, event.alert ?? null],
  );
}

const ToldReason = z.lazy(() =>
  z.object({ kind: z.enum(['alert-firing', 'alert-reason']), reason: z.string() }),
);

/** The reasons for which alerts with this key fired, from the lines of an incident's timeline. */
export async function listToldReasons(
  db: Queryable,
  incident: number,
  { condition, host, subject }: AlertKey,
): Promise<z.infer<typeof ToldReason>[]> {
  return await queryRows(
    db,
    ToldReason,
    `SELECT e.kind, substr(e.text, length(a.title) + length(': ') + 1) AS reason
     FROM incident_events e JOIN alerts a ON a.id = e.alert
     WHERE e.incident = $1 AND a.condition = $2 AND a.host = $3 AND a.subject IS NOT DISTINCT FROM $4`,
    [incident, condition, host, subject],
  );
}

/** The timelines of these incidents, by number. */
export async function listTimelines(
  db: Queryable,
  numbers: readonly number[],
): Promise<Map<number, IncidentEvent[]>> {
  const rows = await queryRows(
    db,
    IncidentEvent.unwrap().extend({ incident: z.number() }),
    `SELECT incident, at, kind, text, actor FROM incident_events
     WHERE incident = ANY ($1::integer[]) ORDER BY incident, seq`,
    [numbers],
  );
  const timelines = new Map<number, IncidentEvent[]>();
  for (const { incident, ...event } of rows) {
    const timeline = timelines.get(incident);
    if (timeline) timeline.push(event);
    else timelines.set(incident, [event]);
  }
  return timelines;
}

export interface IncidentFilter {
  /** `unresolved`: open or acknowledged. */
  state?: Incident['state'] | 'unresolved' | undefined;
  limit: number;
}

function statesOf(state: IncidentFilter['state']): readonly IncidentState[] {
  if (state === undefined) return IncidentState.options;
  return state === 'unresolved' ? UNRESOLVED : [state];
}

/** The newest incidents first. */
export async function listIncidents(db: Queryable, { state, limit }: IncidentFilter): Promise<Incident[]> {
  return await queryRows(
    db,
    Incident,
    `SELECT ${COLUMNS} FROM incidents
     WHERE state = ANY ($1) ORDER BY number DESC LIMIT $2`,
    [statesOf(state), limit],
  );
}
