// Publishes deliveries from the outbox to the topic `alerts`: one message for each, repeated while the delivery is pending.
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import type { WireMessage } from '#shared/signing/message.ts';
import { ALERTS_TOPIC } from '#shared/topology.ts';
import type { Deps } from '../deps.ts';
import { type Publishing, publishDue, publishRows } from '../publish.ts';
import type { Queryable } from '../store/database.ts';
import { type AlertEvent, DELIVERY_OUTBOX, insertDelivery } from '../store/deliveries.ts';
import type { Target } from './target.ts';

/** The message of one delivery. */
export const DeliveryMessage = z.lazy(() => z.object({ deliveryId: z.uuid() }));

/** The instance that stores a delivery publishes it at once; after this time a tick takes over. */
const FIRST_PUBLISH_GRACE_MS = 15_000;
/**
 * Pub/Sub itself retries a message that it took, gives the message up after a while (dead letter), or loses it with its
 * subscription. A delivery that is still pending then gets a new message.
 */
const REPUBLISH_AFTER_MS = 15 * 60_000;

const EVENT_TYPE = 'dev.lamplighter.delivery.v1';

type OutboxDeps = Pick<Deps, 'db' | 'clock' | 'publisher'>;

/** Stores the deliveries of one event; returns the ids of those that are new, to be published after the commit. */
export async function addDeliveries(
  tx: Queryable,
  { now, ...about }: { alertId: string; event: AlertEvent; note: string | null; now: Date },
  targets: readonly Target[],
): Promise<string[]> {
  const nextPublishAt = new Date(now.getTime() + FIRST_PUBLISH_GRACE_MS);
  const ids: string[] = [];
  for (const { channel, recipient } of targets) {
    const id = randomUUID();
    const row = { id, ...about, channel, recipient, createdAt: now, nextPublishAt };
    if (await insertDelivery(tx, row)) ids.push(id);
  }
  return ids;
}

function toMessage(deliveryId: string, now: Date): WireMessage {
  return {
    data: Buffer.from(JSON.stringify({ deliveryId }), 'utf8'),
    attributes: {
      'ce-specversion': '1.0',
      'ce-id': deliveryId,
      'ce-source': 'lamplighter/watch',
      'ce-type': EVENT_TYPE,
      'ce-time': now.toISOString(),
      'content-type': 'application/json',
    },
  };
}

function publishing(deps: OutboxDeps): Publishing<{ id: string }> {
  return {
    outbox: DELIVERY_OUTBOX,
    publish: async ({ id }) => {
      await deps.publisher.publish(ALERTS_TOPIC, toMessage(id, deps.clock()));
    },
    againAfterMs: REPUBLISH_AFTER_MS,
  };
}

/** Publishes these deliveries. Those that Pub/Sub did not take stay due for the next tick. */
export async function publishDeliveries(deps: OutboxDeps, ids: readonly string[]): Promise<void> {
  await publishRows(
    deps,
    publishing(deps),
    ids.map((id) => ({ id })),
  );
}

/** Publishes what is pending for too long; called with every tick. Returns how many were published and how many not. */
export async function publishOverdue(deps: OutboxDeps): Promise<{ published: number; failed: number }> {
  const { due, failures } = await publishDue(deps, publishing(deps));
  return { published: due - failures.length, failed: failures.length };
}
