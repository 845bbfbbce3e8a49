// google.pubsub.v1.Subscriber, as far as Lamplighter calls it.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import * as z from 'zod';
import type { Broker } from './broker.ts';
import { checkSubscription } from './check-subscription.ts';
import { invalidArgument } from './fault.ts';
import { MAX_ACK_DEADLINE_S } from './limits.ts';
import { checkSubscriptionName } from './names.ts';
import { PushConfig, Subscription } from './resources.ts';
import { streamingPull } from './streaming-pull.ts';
import { unary } from './unary.ts';

const BySubscription = z.object({ subscription: z.string() });
const Acknowledge = BySubscription.extend({ ackIds: z.array(z.string()) });
const ModifyAckDeadline = Acknowledge.extend({ ackDeadlineSeconds: z.int() });

/** The service's methods over a broker. */
export function subscriberService(broker: Broker): UntypedServiceImplementation {
  return {
    createSubscription: unary(Subscription, (subscription) =>
      broker.createSubscription(checkSubscription(subscription)),
    ),
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
    streamingPull: streamingPull(broker),
  };
}
