// Alerts about different facts of one kind, which fire beside each other: a second corrupt backup, another entry that was
// rewritten. If they were one alert, nobody would hear of the second fact.
import { createHash } from 'node:crypto';
import type { Runbook } from '#shared/runbook/schema.ts';
import { type AlertKey, listFiringBeside, lockHostAlerts } from '../store/alerts.ts';
import type { Queryable } from '../store/database.ts';
import { type AlertChange, type AlertFacts, raiseAlert, settleAlert } from './change.ts';

/** So many fire at once; who can make facts, as a stolen agent can, must not flood people with mail. */
export const MAX_BESIDE = 5;

/** A subject of bounded size that is this fact's own. */
function subjectOf(family: string, fact: string): string {
  return `${family}:${createHash('sha256').update(fact).digest('hex').slice(0, 16)}`;
}

/**
 * Raises an alert for this fact unless `MAX_BESIDE` fire for others; the last of these says so. When one fires for it, only
 * its latest reason is noted. The facts' `subject` names what they have in common. Takes the host's lock.
 */
export async function raiseBeside(
  tx: Queryable,
  facts: AlertFacts,
  fact: string,
  runbook: Runbook,
  now: Date,
): Promise<AlertChange | undefined> {
  await lockHostAlerts(tx, facts.host);
  const firing = await listFiringBeside(tx, facts);
  const subject = subjectOf(facts.subject, fact);
  if (firing.some((alert) => alert.subject === subject)) {
    return await raiseAlert(tx, { ...facts, subject }, runbook, now);
  }
  if (firing.length >= MAX_BESIDE) return undefined;
  const isLast = firing.length === MAX_BESIDE - 1;
  const reason = isLast
    ? `${facts.reason}; ${MAX_BESIDE} alerts of this kind fire now, so further ones are not sent until these have ended`
    : facts.reason;
  return await raiseAlert(tx, { ...facts, subject, reason }, runbook, now);
}

/** Ends those alerts of the key's kind that `isOver` says. Takes the host's lock. */
export async function settleBeside(
  tx: Queryable,
  key: AlertKey,
  resolution: string,
  runbook: Runbook,
  now: Date,
  isOver: (alert: { firedAt: Date }) => boolean = () => true,
): Promise<(AlertChange | undefined)[]> {
  await lockHostAlerts(tx, key.host);
  const changes: (AlertChange | undefined)[] = [];
  for (const alert of (await listFiringBeside(tx, key)).filter(isOver)) {
    changes.push(await settleAlert(tx, alert, resolution, runbook, now));
  }
  return changes;
}
