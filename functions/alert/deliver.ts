// One delivery to one channel: taken under a lease, sent, settled. However often its message comes, it is sent once.
import { randomUUID } from 'node:crypto';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { oneLine } from '../one-line.ts';
import { findAlert } from '../store/alerts.ts';
import { appendAudit } from '../store/audit.ts';
import {
  type Delivery,
  findDelivery,
  leaseDelivery,
  markDelivered,
  markFailed,
  releaseDelivery,
} from '../store/deliveries.ts';
import { findIncident } from '../store/incidents.ts';
import { requireRunbook } from '../store/runbooks.ts';
import type { SendOutcome } from './channels/channel.ts';
import { type ChannelDeps, sendToChannel } from './channels/send.ts';

export interface DeliverDeps extends ChannelDeps {
  db: Deps['db'];
}

/** Longer than any channel takes to answer or to time out. */
const LEASE_MS = 60_000;
/** Nobody is helped by an older alert. */
const MAX_AGE_MS = 24 * 60 * 60_000;

/**
 * Sends a delivery unless it is settled already, and says what came of it. Throws `busy` while another sends it, and
 * whatever may work later.
 */
export async function deliver(deps: DeliverDeps, deliveryId: string): Promise<string> {
  const leaseId = randomUUID();
  const now = deps.clock();
  const leasedUntil = new Date(now.getTime() + LEASE_MS);
  const delivery = await leaseDelivery(deps.db, deliveryId, { leaseId, now, leasedUntil });
  if (!delivery) return await sayWhyNot(deps, deliveryId);
  const outcome = await attempt(deps, delivery, leaseId);
  if (outcome.state === 'refused') return await giveUp(deps, delivery, leaseId, outcome.reason);
  await markDelivered(deps.db, deliveryId, { deliveredAt: deps.clock(), receipt: outcome.receipt });
  return `delivered: ${outcome.receipt}`;
}

async function sayWhyNot({ db }: DeliverDeps, id: string): Promise<string> {
  const delivery = await findDelivery(db, id);
  if (!delivery) return 'ignored: there is no such delivery';
  if (delivery.state !== 'pending') return `ignored: already ${delivery.state}`;
  // Whoever holds it may have been killed: the message must come again.
  throw new LamplighterError('busy', `deliver ${id}: another instance is sending it`, {
    retryable: true,
    details: { status: 503 },
  });
}

async function attempt(deps: DeliverDeps, delivery: Delivery, leaseId: string): Promise<SendOutcome> {
  try {
    return await send(deps, delivery);
  } catch (error) {
    const reason = oneLine(messageOf(error));
    if (deps.clock().getTime() - delivery.createdAt.getTime() > MAX_AGE_MS) {
      return { state: 'refused', reason: `given up after a day: ${reason}` };
    }
    await releaseDelivery(deps.db, delivery.id, leaseId, reason);
    throw error;
  }
}

async function send(deps: DeliverDeps, delivery: Delivery): Promise<SendOutcome> {
  const { runbook } = await requireRunbook(deps.db);
  const channel = runbook.channels[delivery.channel];
  if (!channel) return { state: 'refused', reason: 'the runbook no longer has this channel' };
  const alert = await findAlert(deps.db, delivery.alertId);
  if (!alert) return { state: 'refused', reason: 'its alert is gone' };
  const incident = alert.incident === null ? undefined : await findIncident(deps.db, alert.incident);
  return await sendToChannel(deps, channel, { delivery, alert, incident, runbook });
}

async function giveUp(
  { db, clock }: DeliverDeps,
  { id, alertId, channel, event }: Delivery,
  leaseId: string,
  reason: string,
): Promise<string> {
  await db.transaction(async (tx) => {
    if (!(await markFailed(tx, id, leaseId, reason))) return;
    await appendAudit(tx, {
      at: clock(),
      actor: `channel:${channel}`,
      action: 'delivery.failed',
      target: id,
      detail: { alertId, event, reason },
    });
  });
  return `failed for good: ${reason}`;
}
