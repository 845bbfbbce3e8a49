// How alerts make incidents: the first opens one, others on the same host join it, the last one's end resolves it.
// Called within the transaction that changes the alert, which holds the host's lock.
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

/** Opens an incident for an alert or joins the host's open one; gives its number. */
export async function joinIncident(
  tx: Queryable,
  cause: IncidentCause,
  runbook: Runbook,
  now: Date,
): Promise<number> {
  const open = await lockOpenIncident(tx, cause.host);
  const number = open ? open.number : await openIncident(tx, cause, runbook, now);
  await appendIncidentEvent(tx, number, {
    at: now,
    kind: 'alert-firing',
    text: `${cause.title}: ${cause.reason}`,
    actor: null,
    alert: cause.alert,
  });
  if (open && isWorse(cause.severity, open.severity)) await raise(tx, open, cause, runbook, now);
  return number;
}

async function openIncident(
  tx: Queryable,
  { alert, host, severity, title }: IncidentCause,
  runbook: Runbook,
  now: Date,
): Promise<number> {
  const deadline = respondBy(severity, now, runbook);
  const incident = { host, severity, title, openedAt: now, respondBy: deadline, cause: alert };
  const number = await insertIncident(tx, incident);
  await appendIncidentEvent(tx, number, {
    at: now,
    kind: 'opened',
    text: `opened as ${severity} on ${host}, respond by ${deadline.toISOString()}`,
    actor: null,
  });
  return number;
}

async function raise(
  tx: Queryable,
  open: Incident,
  { alert, severity, title }: IncidentCause,
  runbook: Runbook,
  now: Date,
): Promise<void> {
  const stricter = respondBy(severity, now, runbook);
  const deadline = stricter < open.respondBy ? stricter : open.respondBy;
  await raiseIncident(tx, open.number, { severity, title, respondBy: deadline, cause: alert });
  await appendIncidentEvent(tx, open.number, {
    at: now,
    kind: 'severity',
    text: `raised from ${open.severity} to ${severity}, respond by ${deadline.toISOString()}`,
    actor: null,
  });
}

/** So many lines about changed reasons an alert gets in its incident; `lamp alerts` says the latest all the same. */
const MAX_REASONS = 20;

/** Notes that an alert of the incident fires for another reason, one line for each reason. */
export async function noteIncidentReason(
  tx: Queryable,
  incident: number,
  alert: Alert,
  reason: string,
  isSame: (a: string, b: string) => boolean,
  now: Date,
): Promise<void> {
  const told = await listToldReasons(tx, incident, alert);
  if (told.filter(({ kind }) => kind === 'alert-reason').length >= MAX_REASONS) return;
  if (told.some((event) => isSame(event.reason, reason))) return;
  const text = `${alert.title}: ${reason}`;
  await appendIncidentEvent(tx, incident, {
    at: now,
    kind: 'alert-reason',
    text,
    actor: null,
    alert: alert.id,
  });
}

/** Notes that one of an incident's alerts has ended, and resolves the incident when it was the last. */
export async function leaveIncident(tx: Queryable, incident: number, text: string, now: Date): Promise<void> {
  await appendIncidentEvent(tx, incident, { at: now, kind: 'alert-resolved', text, actor: null });
  if ((await countFiringAlerts(tx, incident)) > 0) return;
  if (await markResolved(tx, incident, now)) {
    await appendIncidentEvent(tx, incident, {
      at: now,
      kind: 'resolved',
      text: 'resolved: no alert is firing any more',
      actor: null,
    });
  }
}
