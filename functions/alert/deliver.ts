// One delivery to one recipient: taken under a lease, sent, and its outcome recorded. However often its
// message comes, the delivery is sent once.

import { messageOf } from '#shared/errors.ts';
import { lookUp } from '#shared/look-up.ts';
import type { Deps } from '../deps.ts';
import { HttpFault } from '../http/fault.ts';
import { oneLine } from '../one-line.ts';
import { nextState } from '../state-machine.ts';
import { findAlert } from '../store/alerts.ts';
import { appendAudit } from '../store/audit.ts';
import type { Queryable } from '../store/database.ts';
import {
  type Delivery,
  findDelivery,
  leaseDelivery,
  markDelivered,
  markFailed,
  markSent,
  releaseDelivery,
} from '../store/deliveries.ts';
import { findIncident } from '../store/incidents.ts';
import { type Lease, newLease } from '../store/lease.ts';
import { requireRunbook } from '../store/runbooks.ts';
import type { ChannelDeps, SendOutcome } from './channels/channel.ts';
import { kindOf } from './channels/registry.ts';
import { MissingSecret } from './channels/secret.ts';
import { DELIVERY_MOVES } from './delivery-state.ts';
import { publishDeliveries } from './outbox.ts';
import { tellNext } from './tell-next.ts';

export interface DeliverDeps extends ChannelDeps {
  db: Deps['db'];
  publisher: Deps['publisher'];
  clock: Deps['clock'];
}

/** Longer than any channel takes to answer or to time out. */
const LEASE_MS = 60_000;
/** An older alert helps nobody. */
const MAX_AGE_MS = 24 * 60 * 60_000;
/** After this time without success the next recipients are told, while this recipient is still tried. */
const LATE_MS = 15 * 60_000;

/**
 * Sends a delivery unless it has ended already; returns the outcome in words. Throws `busy` while another instance sends
 * the delivery, and every failure that a retry may mend.
 */
export async function deliver(deps: DeliverDeps, deliveryId: string): Promise<string> {
  const lease = newLease(deps.clock(), LEASE_MS);
  const delivery = await leaseDelivery(deps.db, deliveryId, lease);
  if (!delivery) return await sayWhyNot(deps, deliveryId);
  return await conclude(deps, delivery, lease, await attempt(deps, delivery, lease));
}

async function conclude(
  deps: DeliverDeps,
  delivery: Delivery,
  lease: Lease,
  outcome: SendOutcome,
): Promise<string> {
  switch (outcome.state) {
    case 'delivered':
      await markDelivered(deps.db, delivery.id, { deliveredAt: deps.clock(), receipt: outcome.receipt });
      return `delivered: ${outcome.receipt}`;
    case 'sent':
      await markSent(deps.db, delivery.id, lease, outcome);
      return `sent: ${outcome.receipt}`;
    case 'refused':
    case 'withdrawn':
      return await giveUp(deps, delivery, lease, outcome);
  }
}

async function sayWhyNot({ db }: DeliverDeps, id: string): Promise<string> {
  const delivery = await findDelivery(db, id);
  if (!delivery) return 'ignored: there is no such delivery';
  if (nextState(DELIVERY_MOVES, delivery.state, 'attempted') === 'refused')
    return `ignored: already ${delivery.state}`;
  // The instance that holds the lease may have been killed, so Pub/Sub must send the message again.
  throw new HttpFault('busy', `deliver ${id}: another instance is sending it`, {
    retryable: true,
    status: 503,
  });
}

async function attempt(deps: DeliverDeps, delivery: Delivery, lease: Lease): Promise<SendOutcome> {
  try {
    return await send(deps, delivery);
  } catch (error) {
    const reason = oneLine(messageOf(error));
    if (error instanceof MissingSecret) return { state: 'refused', reason };
    if (ageMs(deps, delivery) > MAX_AGE_MS) {
      return { state: 'refused', reason: `given up after a day: ${reason}` };
    }
    await putBack(deps, delivery, lease, reason);
    throw error;
  }
}

function ageMs({ clock }: DeliverDeps, { createdAt }: Delivery): number {
  return clock().getTime() - createdAt.getTime();
}

/** Leaves a delivery to the next message. When the delivery is late, the next recipients are told. */
async function putBack(deps: DeliverDeps, delivery: Delivery, lease: Lease, reason: string): Promise<void> {
  const told = await deps.db.transaction(async (tx) => {
    await releaseDelivery(tx, delivery.id, lease, reason);
    if (delivery.event !== 'firing' || ageMs(deps, delivery) < LATE_MS) return [];
    const { runbook } = await requireRunbook(tx);
    return await tellNext({ tx, runbook, now: deps.clock() }, { delivery, reason, isFinal: false });
  });
  await publishDeliveries(deps, told);
}

async function send(deps: DeliverDeps, delivery: Delivery): Promise<SendOutcome> {
  const { runbook } = await requireRunbook(deps.db);
  const channel = lookUp(runbook.channels, delivery.channel);
  if (!channel) return { state: 'withdrawn', reason: 'the runbook no longer has this channel' };
  const alert = await findAlert(deps.db, delivery.alertId);
  if (!alert) return { state: 'withdrawn', reason: 'its alert no longer exists' };
  const incident = alert.incident === null ? undefined : await findIncident(deps.db, alert.incident);
  return await kindOf(channel).send(deps, channel, { delivery, alert, incident, runbook });
}

async function giveUp(
  deps: DeliverDeps,
  delivery: Delivery,
  lease: Lease,
  { state, reason }: { state: 'refused' | 'withdrawn'; reason: string },
): Promise<string> {
  const told = await deps.db.transaction(async (tx) => {
    if (!(await markFailed(tx, delivery.id, lease, reason))) return [];
    await auditFailure(tx, delivery, reason, deps.clock());
    // The channel was removed on purpose, so nobody else is told.
    if (state === 'withdrawn') return [];
    const { runbook } = await requireRunbook(tx);
    return await tellNext({ tx, runbook, now: deps.clock() }, { delivery, reason, isFinal: true });
  });
  await publishDeliveries(deps, told);
  return `failed for good: ${reason}`;
}

/** Writes to the audit trail that a recipient was not told. */
export async function auditFailure(
  tx: Queryable,
  { id, alertId, channel, recipient, event }: Delivery,
  reason: string,
  at: Date,
): Promise<void> {
  await appendAudit(tx, {
    at,
    actor: `channel:${channel}`,
    action: 'delivery.failed',
    target: id,
    detail: { alertId, event, ...(recipient === '' ? {} : { recipient }), reason },
  });
}
