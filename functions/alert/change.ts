// Alerts begin and end here, whatever raised them: the alert, its incident and one delivery per recipient change together,
// in one transaction; their messages go out after it.
import { randomUUID } from 'node:crypto';
import type { Runbook } from '#shared/runbook/schema.ts';
import { isAtLeast } from '#shared/severity.ts';
import type { Deps } from '../deps.ts';
import { joinIncident, leaveIncident } from '../incident/join.ts';
import { levelOf, severityOf } from '../incident/severity.ts';
import {
  type Alert,
  type AlertKey,
  findFiringAlert,
  insertAlert,
  listFiringAlerts,
  lockHostAlerts,
  resolveAlert,
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

/**
 * Raises an alert; gives what changed. When it already fires, only its latest reason is noted, and nobody gets a message.
 * When as many of its condition fire as may, nothing happens. Takes the host's lock.
 */
export async function raiseAlert(
  tx: Queryable,
  symptom: Symptom,
  runbook: Runbook,
  now: Date,
): Promise<AlertChange | undefined> {
  await lockHostAlerts(tx, symptom.host);
  const firing = await findFiringAlert(tx, symptom);
  if (firing) {
    await renewReason(tx, firing, symptom.reason, now);
    return undefined;
  }
  const reason = await reasonAmongOthers(tx, symptom);
  if (reason === undefined) return undefined;
  const { condition, kind, host, subject, facts, title } = symptom;
  const severity = severityOf(symptom, runbook);
  const id = randomUUID();
  const incident = await joinIncident(tx, { alert: id, host, severity, title, reason }, runbook, now);
  const level = levelOf(severity, runbook);
  await insertAlert(tx, {
    id,
    condition,
    kind,
    host,
    subject,
    facts,
    severity,
    level,
    title,
    reason,
    incident,
    service: facts.service ?? null,
    evidence: [...(symptom.evidence ?? [])],
    firedAt: now,
  });
  return await fanOut(tx, { id, level }, 'firing', runbook, now);
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

/** Ends an alert if it fires; `resolution` says how, e.g. `engines-api is passing again: status 200`. Takes the host's lock. */
export async function settleAlert(
  tx: Queryable,
  key: AlertKey,
  resolution: string,
  runbook: Runbook,
  now: Date,
): Promise<AlertChange | undefined> {
  await lockHostAlerts(tx, key.host);
  const alert = await findFiringAlert(tx, key);
  if (!alert) return undefined;
  await resolveAlert(tx, alert.id, { resolvedAt: now, resolution });
  if (alert.incident !== null) await leaveIncident(tx, alert.incident, resolution, now);
  return await fanOut(tx, alert, 'resolved', runbook, now);
}

/** Ends all alerts of a condition on a host, or those of them that `isOver` says. Takes the host's lock. */
export async function settleAlerts(
  tx: Queryable,
  { id: condition }: Condition,
  host: string,
  resolution: string,
  runbook: Runbook,
  now: Date,
  isOver: (alert: Alert) => boolean = () => true,
): Promise<(AlertChange | undefined)[]> {
  await lockHostAlerts(tx, host);
  const changes: (AlertChange | undefined)[] = [];
  for (const alert of (await listFiringAlerts(tx, { condition, host })).filter(isOver)) {
    changes.push(await settleAlert(tx, alert, resolution, runbook, now));
  }
  return changes;
}

/** Ends a firing alert and raises another in its place: one incident, which goes on. Takes the host's lock. */
export async function replaceAlert(
  tx: Queryable,
  { alert, resolution }: { alert: Alert; resolution: string },
  symptom: Symptom,
  runbook: Runbook,
  now: Date,
): Promise<(AlertChange | undefined)[]> {
  await lockHostAlerts(tx, symptom.host);
  await resolveAlert(tx, alert.id, { resolvedAt: now, resolution });
  const raised = await raiseAlert(tx, symptom, runbook, now);
  if (alert.incident !== null) {
    if (raised)
      await renameIncident(tx, alert.incident, alert.id, { id: raised.alertId, title: symptom.title });
    // After the other one has joined, or the incident would end here.
    await leaveIncident(tx, alert.incident, resolution, now);
  }
  return [await fanOut(tx, alert, 'resolved', runbook, now), raised];
}

async function fanOut(
  tx: Queryable,
  { id: alertId, level }: Pick<Alert, 'id' | 'level'>,
  event: AlertEvent,
  runbook: Runbook,
  now: Date,
): Promise<AlertChange> {
  const targets = allTargets(runbook).filter(({ minLevel }) => isAtLeast(level, minLevel));
  return {
    alertId,
    event,
    deliveryIds: await addDeliveries(tx, { alertId, event, note: null, now }, targets),
  };
}

export type AlertDeps = Pick<Deps, 'db' | 'clock' | 'publisher'>;

/**
 * Runs `work` in a transaction and publishes what it changed. Publishing that fails is not an error here: the next tick
 * of the watch publishes again.
 */
export async function changeAlerts(
  deps: AlertDeps,
  work: (tx: Queryable) => Promise<readonly (AlertChange | undefined)[]>,
): Promise<AlertChange[]> {
  const outcome = await deps.db.transaction(work);
  const changes = outcome.filter((change) => change !== undefined);
  await publishDeliveries(
    deps,
    changes.flatMap(({ deliveryIds }) => deliveryIds),
  );
  return changes;
}
