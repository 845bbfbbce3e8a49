// When somebody can't be told of an alert, the next one is: the other recipients of the channel, then the channels after
// it in the runbook, round to those before it; those that reach people come before logs. Nobody is told twice.
import type { IncidentChanges } from '../incident/join.ts';
import { type Delivery, listDeliveries } from '../store/deliveries.ts';
import { addDeliveries } from './outbox.ts';
import { allTargets, isSameTarget, nameOf, type Target } from './target.ts';

export interface Failure {
  delivery: Delivery;
  reason: string;
  /** False while it is still tried: the fault may be the mail server's, so other channels are told and not its neighbours. */
  isFinal: boolean;
}

/** Recipients in the order in which they are told, a channel at a time. */
function groupsAfter(failed: Delivery, targets: readonly Target[]): Target[][] {
  const channels = [...new Set(targets.map(({ channel }) => channel))];
  const start = Math.max(0, channels.indexOf(failed.channel));
  const inTurn = [...channels.slice(start), ...channels.slice(0, start)];
  const groups = inTurn.map((name) => targets.filter(({ channel }) => channel === name));
  return groups.toSorted((a, b) => Number(isLog(a)) - Number(isLog(b)));
}

function isLog(group: readonly Target[]): boolean {
  return group.every(({ kind }) => kind === 'jsonl');
}

/** Whom to tell; nobody when everybody else is out of reach too, or when only a log lacks what people already know. */
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

/** Adds the deliveries that tell the next ones; they are to be published after the commit. */
export async function tellNext({ tx, runbook, now }: IncidentChanges, failure: Failure): Promise<string[]> {
  const { delivery, reason, isFinal } = failure;
  if (delivery.event === 'resolved') return [];
  const siblings = await listDeliveries(tx, [delivery.alertId]);
  const targets = nextTargets(failure, allTargets(runbook), siblings);
  const verb = isFinal ? 'could not be told' : 'could not be told so far';
  const note = `${nameOf(delivery)} ${verb}: ${reason}`;
  return await addDeliveries(tx, { alertId: delivery.alertId, event: 'undelivered', note, now }, targets);
}
