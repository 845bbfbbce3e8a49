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
  lockHostAlerts,
  resolveAlert,
} from '../store/alerts.ts';
import type { Queryable } from '../store/database.ts';
import type { AlertEvent } from '../store/deliveries.ts';
import { renameIncident } from '../store/incidents.ts';
import { addDeliveries, publishDeliveries } from './outbox.ts';
import { renewReason } from './reason.ts';
import { allTargets } from './target.ts';

/** What is wrong. */
export interface AlertFacts extends AlertKey {
  service?: string | undefined;
  /** Short and without the host, for a subject line: `engines-api is failing`. */
  title: string;
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
 * Takes the host's lock.
 */
export async function raiseAlert(
  tx: Queryable,
  facts: AlertFacts,
  runbook: Runbook,
  now: Date,
): Promise<AlertChange | undefined> {
  await lockHostAlerts(tx, facts.host);
  const firing = await findFiringAlert(tx, facts);
  if (firing) {
    await renewReason(tx, firing, facts.reason, now);
    return undefined;
  }
  const { kind, host, subject, title, reason, service } = facts;
  const check = kind === 'check' ? subject : undefined;
  const severity = severityOf({ kind, host, check, service }, runbook);
  const incident = await joinIncident(tx, { host, severity, title, reason }, runbook, now);
  const alert = {
    id: randomUUID(),
    kind,
    host,
    subject,
    service: service ?? null,
    severity,
    level: levelOf(severity, runbook),
    title,
    reason,
    evidence: [...(facts.evidence ?? [])],
    firedAt: now,
    incident,
  };
  await insertAlert(tx, alert);
  return await fanOut(tx, alert, 'firing', runbook, now);
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

/**
 * Ends a firing alert and raises another of the same key in its place: one incident, which goes on. Takes the host's lock.
 */
export async function replaceAlert(
  tx: Queryable,
  { alert, resolution }: { alert: Alert; resolution: string },
  facts: AlertFacts,
  runbook: Runbook,
  now: Date,
): Promise<(AlertChange | undefined)[]> {
  await lockHostAlerts(tx, facts.host);
  await resolveAlert(tx, alert.id, { resolvedAt: now, resolution });
  const raised = await raiseAlert(tx, facts, runbook, now);
  if (alert.incident !== null) {
    await renameIncident(tx, alert.incident, { from: alert.title, to: facts.title });
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
