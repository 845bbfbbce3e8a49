// google.pubsub.v1.Subscriber, but for the streaming pull.

import { setTimeout as sleep } from 'node:timers/promises';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import * as z from 'zod';
import type { Broker } from './broker.ts';
import { checkSubscription } from './check-subscription.ts';
import { invalidArgument, notOfForm } from './fault.ts';
import { MAX_ACK_DEADLINE_S } from './limits.ts';
import { checkProject, checkSubscriptionName } from './names.ts';
import { pageOf } from './paging.ts';
import { toReceivedMessage } from './received-message.ts';
import { PushConfig, Subscription } from './resources.ts';
import { streamingPull } from './streaming-pull.ts';
import { unary, unimplemented } from './unary.ts';

const BySubscription = z.object({ subscription: z.string() });
const List = z.object({
  project: z.string(),
  pageSize: z.int().default(0),
  pageToken: z.string().default(''),
});
const Acknowledge = BySubscription.extend({ ackIds: z.array(z.string()) });
const ModifyAckDeadline = Acknowledge.extend({ ackDeadlineSeconds: z.int() });
const Pull = BySubscription.extend({ maxMessages: z.int(), returnImmediately: z.boolean().default(false) });
const Update = z.object({
  subscription: Subscription,
  updateMask: z.object({ paths: z.array(z.string()) }).nullish(),
});

/** How long an empty pull waits for a message; Google's answers empty after a while too. */
const PULL_WAIT_MS = 5000;
const FIXED_FIELDS = new Set(['name', 'topic', 'filter', 'enableMessageOrdering']);

function camelCase(path: string): string {
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function merge(current: Subscription, { subscription, updateMask }: z.infer<typeof Update>): Subscription {
  const fields = (updateMask?.paths ?? []).map((path) => camelCase(path.split('.')[0] ?? ''));
  if (fields.length === 0)
    throw invalidArgument('The update_mask in the UpdateSubscriptionRequest must be set');
  const fixed = fields.find((field) => FIXED_FIELDS.has(field));
  if (fixed !== undefined) throw invalidArgument(`Invalid update_mask: ${fixed} can't be changed`);
  const changes = Object.fromEntries(
    Object.entries(subscription).filter(([field]) => fields.includes(field)),
  );
  const merged = Subscription.safeParse({ ...current, ...changes });
  if (!merged.success) throw notOfForm(merged.error);
  return checkSubscription(merged.data);
}

async function pull(
  broker: Broker,
  { subscription: name, maxMessages, returnImmediately }: z.infer<typeof Pull>,
) {
  if (maxMessages <= 0) throw invalidArgument('max_messages must be greater than zero');
  const subscription = broker.subscription(checkSubscriptionName(name));
  const queue = broker.queue(name);
  const deadlineMs = subscription.ackDeadlineSeconds * 1000;
  let taken = queue.take(maxMessages, deadlineMs);
  if (taken.length === 0 && !returnImmediately) {
    const ready = Promise.withResolvers<void>();
    const stop = queue.onReady(() => ready.resolve());
    await Promise.race([ready.promise, sleep(PULL_WAIT_MS, undefined, { ref: false })]);
    stop();
    taken = queue.take(maxMessages, deadlineMs);
  }
  return { receivedMessages: taken.map((delivery) => toReceivedMessage(delivery, subscription)) };
}

/** The service's methods over a broker. */
export function subscriberService(broker: Broker): UntypedServiceImplementation {
  return {
    createSubscription: unary(Subscription, (subscription) =>
      broker.createSubscription(checkSubscription(subscription)),
    ),
    getSubscription: unary(BySubscription, ({ subscription }) =>
      broker.subscription(checkSubscriptionName(subscription)),
    ),
    updateSubscription: unary(Update, (request) =>
      broker.updateSubscription(merge(broker.subscription(request.subscription.name), request)),
    ),
    deleteSubscription: unary(BySubscription, ({ subscription }) =>
      broker.deleteSubscription(checkSubscriptionName(subscription)),
    ),
    listSubscriptions: unary(List, ({ project, pageSize, pageToken }) => {
      const own = broker.subscriptions().filter(({ name }) => name.startsWith(`${checkProject(project)}/`));
      const { page, nextPageToken } = pageOf(own, ({ name }) => name, pageSize, pageToken);
      return { subscriptions: page, nextPageToken };
    }),
    modifyPushConfig: unary(
      BySubscription.extend({ pushConfig: PushConfig.nullish() }),
      async ({ subscription, pushConfig }) => {
        const current = broker.subscription(checkSubscriptionName(subscription));
        await broker.updateSubscription(checkSubscription({ ...current, pushConfig }));
      },
    ),
    acknowledge: unary(Acknowledge, ({ subscription, ackIds }) => {
      const queue = broker.queue(checkSubscriptionName(subscription));
      if (ackIds.length === 0) throw invalidArgument('No ack ids specified');
      for (const ackId of ackIds) queue.ack(ackId);
    }),
    modifyAckDeadline: unary(ModifyAckDeadline, ({ subscription, ackIds, ackDeadlineSeconds }) => {
      const queue = broker.queue(checkSubscriptionName(subscription));
      if (ackIds.length === 0) throw invalidArgument('No ack ids specified');
      if (ackDeadlineSeconds < 0 || ackDeadlineSeconds > MAX_ACK_DEADLINE_S) {
        throw invalidArgument(`Invalid ack deadline: ${ackDeadlineSeconds}`);
      }
      for (const ackId of ackIds) queue.modifyDeadline(ackId, ackDeadlineSeconds * 1000);
    }),
    pull: unary(Pull, (request) => pull(broker, request)),
    streamingPull: streamingPull(broker),
    getSnapshot: unimplemented,
    listSnapshots: unimplemented,
    createSnapshot: unimplemented,
    updateSnapshot: unimplemented,
    deleteSnapshot: unimplemented,
    seek: unimplemented,
  };
}
