// All alerts begin and end here. The alert, its incident and one delivery for each recipient change in one transaction; the
// messages are published after it.
import { randomUUID } from 'node:crypto';
import type { Runbook } from '#shared/runbook/schema.ts';
import { isAtLeast } from '#shared/severity.ts';
import type { Deps } from '../deps.ts';
import { type IncidentChanges, joinIncident, leaveIncident } from '../incident/join.ts';
import { levelOf, severityOf } from '../incident/severity.ts';
import {
  type Alert,
  type AlertKey,
  findFiringAlert,
  insertAlert,
  listFiringAlerts,
  lockHostAlerts,
  markAlertResolved,
} from '../store/alerts.ts';
import type { Queryable } from '../store/database.ts';
import type { AlertEvent } from '../store/deliveries.ts';
import { renameIncident } from '../store/incidents.ts';
import type { Condition, Occurrence } from './condition.ts';
import { addDeliveries, publishDeliveries } from './outbox.ts';
import { renewReason } from './reason.ts';
import { allTargets } from './target.ts';

/** What is wrong, and how that shows. */
export interface Symptom extends Occurrence {
  /** Why: `status 502, expected 200`. */
  reason: string;
  /** Lines that show it, the oldest first. */
  evidence?: readonly string[];
}

/** What a transaction changed; its deliveries are published after the commit. */
export interface AlertChange {
  alertId: string;
  event: AlertEvent;
  deliveryIds: string[];
}

/** A transaction in which alerts change. */
export interface AlertChanges extends IncidentChanges {
  /** What has changed so far. */
  changes: AlertChange[];
}

/**
 * Raises an alert. When it already fires, only its latest reason is noted, and nobody gets a message. When as
 * many of its condition fire as may, nothing happens. Takes the host's lock.
 */
export async function raiseAlert(alerts: AlertChanges, symptom: Symptom): Promise<void> {
  const raised = await begin(alerts, symptom);
  if (raised) await fanOut(alerts, raised, 'firing');
}

/** Raises an alert without telling anybody; undefined when it does not begin to fire. */
async function begin(
  alerts: AlertChanges,
  symptom: Symptom,
): Promise<Pick<Alert, 'id' | 'level'> | undefined> {
  const { tx, runbook, now } = alerts;
  await lockHostAlerts(tx, symptom.host);
  const firing = await findFiringAlert(tx, symptom);
  if (firing) {
    await renewReason(alerts, firing, symptom.reason);
    return undefined;
  }
  const reason = await reasonAmongOthers(tx, symptom);
  if (reason === undefined) return undefined;
  const { condition, kind, host, subject, facts, title, evidence = [] } = symptom;
  const severity = severityOf(symptom, runbook);
  const id = randomUUID();
  const incident = await joinIncident(alerts, { alert: id, host, severity, title, reason });
  const alert = { id, condition, kind, host, subject, facts, severity, title, reason, incident };
  const level = levelOf(severity, runbook);
  const service = facts.service ?? null;
  await insertAlert(tx, { ...alert, level, service, evidence: [...evidence], firedAt: now });
  return { id, level };
}

/** The reason; the last alert that may fire says so in it. Undefined when too many fire already. */
async function reasonAmongOthers(
  tx: Queryable,
  { condition, host, mostFiring, reason }: Symptom,
): Promise<string | undefined> {
  if (mostFiring === undefined) return reason;
  const room = mostFiring - (await listFiringAlerts(tx, { condition, host })).length;
  if (room <= 0) return undefined;
  if (room > 1) return reason;
  return `${reason}; ${mostFiring} alerts of this kind fire now, so further ones are not sent until these have ended`;
}

/** Ends an alert if it fires; `resolution` says why, e.g. `engines-api is passing again: status 200`. Takes the host's lock. */
export async function resolveAlert(alerts: AlertChanges, key: AlertKey, resolution: string): Promise<void> {
  await lockHostAlerts(alerts.tx, key.host);
  const alert = await findFiringAlert(alerts.tx, key);
  if (alert) await end(alerts, alert, resolution);
}

/** Ends all alerts of a condition on a host, or those of them that `isOver` says. Takes the host's lock. */
export async function resolveAlerts(
  alerts: AlertChanges,
  { id: condition }: Condition,
  host: string,
  resolution: string,
  isOver: (alert: Alert) => boolean = () => true,
): Promise<void> {
  await lockHostAlerts(alerts.tx, host);
  const firing = await listFiringAlerts(alerts.tx, { condition, host });
  for (const alert of firing.filter(isOver)) await end(alerts, alert, resolution);
}

/** Raises an alert in the place of a firing one, which ends: one incident, which goes on. Takes the host's lock. */
export async function replaceAlert(
  alerts: AlertChanges,
  replaced: Alert,
  resolution: string,
  symptom: Symptom,
): Promise<void> {
  // The new alert joins first: otherwise the incident would be resolved in between.
  const raised = await begin(alerts, symptom);
  if (raised && replaced.incident !== null)
    await renameIncident(alerts.tx, replaced.incident, replaced.id, { id: raised.id, title: symptom.title });
  await end(alerts, replaced, resolution);
  // Told last: what a recipient reads last is what holds.
  if (raised) await fanOut(alerts, raised, 'firing');
}

/** The caller holds the host's lock. */
async function end(alerts: AlertChanges, alert: Alert, resolution: string): Promise<void> {
  const { tx, now } = alerts;
  await markAlertResolved(tx, alert.id, { resolvedAt: now, resolution });
  if (alert.incident !== null) await leaveIncident(alerts, alert.incident, resolution);
  await fanOut(alerts, alert, 'resolved');
}

async function fanOut(
  { tx, runbook, now, changes }: AlertChanges,
  { id: alertId, level }: Pick<Alert, 'id' | 'level'>,
  event: AlertEvent,
): Promise<void> {
  const targets = allTargets(runbook).filter(({ minLevel }) => isAtLeast(level, minLevel));
  const deliveryIds = await addDeliveries(tx, { alertId, event, note: null, now }, targets);
  changes.push({ alertId, event, deliveryIds });
}

export type AlertDeps = Pick<Deps, 'db' | 'clock' | 'publisher'>;

/**
 * Runs `work` in a transaction and publishes what it changed. Publishing that fails is not an error here: the next tick
 * of the watch publishes again.
 */
export async function changeAlerts(
  deps: AlertDeps,
  runbook: Runbook,
  work: (alerts: AlertChanges) => Promise<unknown>,
): Promise<AlertChange[]> {
  const changes: AlertChange[] = [];
  await deps.db.transaction((tx) => work({ tx, runbook, now: deps.clock(), changes }));
  await publishDeliveries(
    deps,
    changes.flatMap(({ deliveryIds }) => deliveryIds),
  );
  return changes;
}
