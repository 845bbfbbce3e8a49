// When a recipient can't be told of an alert, the next recipients are told: first the others of the same channel, then those
// of the channels after it in the runbook, then those before it. Channels that reach people come before logs. Nobody is
// told twice.
import type { IncidentChanges } from '../incident/join.ts';
import { type Delivery, listDeliveries } from '../store/deliveries.ts';
import { addDeliveries } from './outbox.ts';
import { allTargets, isSameTarget, nameOf, type Target } from './target.ts';

export interface Failure {
  delivery: Delivery;
  reason: string;
  /** False while the recipient is still tried. The fault may be the mail server's, so only other channels are told then. */
  isFinal: boolean;
}

/** The recipients in the order in which they are told, grouped by channel. */
function groupsAfter(failed: Delivery, targets: readonly Target[]): Target[][] {
  const channels = [...new Set(targets.map(({ channel }) => channel))];
  const start = Math.max(0, channels.indexOf(failed.channel));
  const inTurn = [...channels.slice(start), ...channels.slice(0, start)];
  const groups = inTurn.map((name) => targets.filter(({ channel }) => channel === name));
  return groups.toSorted((a, b) => Number(isLogAlone(a)) - Number(isLogAlone(b)));
}

function isLogAlone(group: readonly Target[]): boolean {
  return group.every(({ isLog }) => isLog);
}

/** The recipients to tell; none when all others have failed too, or when only a log misses what people already know. */
function nextTargets(
  { delivery, isFinal }: Failure,
  all: readonly Target[],
  siblings: readonly Delivery[],
): Target[] {
  const isKnown = siblings.some(({ event, state }) => event !== 'resolved' && state === 'delivered');
  if (delivery.recipient === '' && isKnown) return [];
  const isDead = (target: Target): boolean =>
    isSameTarget(target, delivery) ||
    siblings.some((sibling) => sibling.state === 'failed' && isSameTarget(sibling, target));
  const groups = groupsAfter(delivery, all)
    .filter((group) => isFinal || group[0]?.channel !== delivery.channel)
    .map((group) => group.filter((target) => !isDead(target)));
  return groups.find((group) => group.length > 0) ?? [];
}

/** Adds deliveries to the next recipients; returns their ids, to be published after the commit. */
export async function tellNext({ tx, runbook, now }: IncidentChanges, failure: Failure): Promise<string[]> {
  const { delivery, reason, isFinal } = failure;
  if (delivery.event === 'resolved') return [];
  const siblings = await listDeliveries(tx, [delivery.alertId]);
  const targets = nextTargets(failure, allTargets(runbook), siblings);
  const verb = isFinal ? 'could not be told' : 'could not be told so far';
  const note = `${nameOf(delivery)} ${verb}: ${reason}`;
  return await addDeliveries(tx, { alertId: delivery.alertId, event: 'undelivered', note, now }, targets);
}
