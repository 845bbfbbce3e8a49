// How alerts make incidents: the first alert of a host opens an incident, others on the same host join it, and the end of the
// last one resolves it. Called in the transaction that changes the alert, which holds the host's lock.
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Severity } from '#shared/severity.ts';
import { type Alert, countFiringAlerts } from '../store/alerts.ts';
import type { Queryable } from '../store/database.ts';
import {
  appendIncidentEvent,
  type Incident,
  insertIncident,
  listToldReasons,
  lockOpenIncident,
  markResolved,
  raiseIncident,
} from '../store/incidents.ts';
import { isWorse, respondBy } from './severity.ts';

/** An alert as an incident sees it. */
export interface IncidentCause {
  /** Its id. */
  alert: string;
  host: string;
  severity: Severity;
  title: string;
  reason: string;
}

/** A transaction that changes alerts and incidents, by the runbook in force. */
export interface IncidentChanges {
  tx: Queryable;
  runbook: Runbook;
  now: Date;
}

/** Adds a line to an incident's timeline; `alert` is the alert that the line is about. */
async function addLine(
  { tx, now: at }: IncidentChanges,
  incident: number,
  line: { kind: string; text: string; alert?: string },
): Promise<void> {
  await appendIncidentEvent(tx, incident, { ...line, at, actor: null });
}

/** Opens an incident for an alert, or joins the host's open one; returns its number. */
export async function joinIncident(changes: IncidentChanges, cause: IncidentCause): Promise<number> {
  const open = await lockOpenIncident(changes.tx, cause.host);
  const number = open ? open.number : await openIncident(changes, cause);
  const text = `${cause.title}: ${cause.reason}`;
  await addLine(changes, number, { kind: 'alert-firing', text, alert: cause.alert });
  if (open && isWorse(cause.severity, open.severity)) await raise(changes, open, cause);
  return number;
}

async function openIncident(
  changes: IncidentChanges,
  { alert, host, severity, title }: IncidentCause,
): Promise<number> {
  const { tx, runbook, now } = changes;
  const deadline = respondBy(severity, now, runbook);
  const incident = { host, severity, title, openedAt: now, respondBy: deadline, cause: alert };
  const number = await insertIncident(tx, incident);
  const text = `opened as ${severity} on ${host}, respond by ${deadline.toISOString()}`;
  await addLine(changes, number, { kind: 'opened', text });
  return number;
}

async function raise(
  changes: IncidentChanges,
  open: Incident,
  { alert, severity, title }: IncidentCause,
): Promise<void> {
  const { tx, runbook, now } = changes;
  const stricter = respondBy(severity, now, runbook);
  const deadline = stricter < open.respondBy ? stricter : open.respondBy;
  await raiseIncident(tx, open.number, { severity, title, respondBy: deadline, cause: alert });
  const text = `raised from ${open.severity} to ${severity}, respond by ${deadline.toISOString()}`;
  await addLine(changes, open.number, { kind: 'severity', text });
}

/** Most lines about changed reasons that one alert adds to its incident; `lamp alerts` shows the latest reason all the same. */
const MAX_REASONS = 20;

/** Notes that an alert of the incident fires for another reason: one line for each reason. */
export async function noteIncidentReason(
  changes: IncidentChanges,
  incident: number,
  alert: Alert,
  reason: string,
  isSame: (a: string, b: string) => boolean,
): Promise<void> {
  const told = await listToldReasons(changes.tx, incident, alert);
  if (told.filter(({ kind }) => kind === 'alert-reason').length >= MAX_REASONS) return;
  if (told.some((event) => isSame(event.reason, reason))) return;
  const text = `${alert.title}: ${reason}`;
  await addLine(changes, incident, { kind: 'alert-reason', text, alert: alert.id });
}

/** Notes that one of an incident's alerts has ended, and resolves the incident when that alert was the last. */
export async function leaveIncident(changes: IncidentChanges, incident: number, text: string): Promise<void> {
  await addLine(changes, incident, { kind: 'alert-resolved', text });
  if ((await countFiringAlerts(changes.tx, incident)) > 0) return;
  if (await markResolved(changes.tx, incident, changes.now)) {
    await addLine(changes, incident, { kind: 'resolved', text: 'resolved: no alert is firing any more' });
  }
}
