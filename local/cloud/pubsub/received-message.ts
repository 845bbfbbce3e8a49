import type { Delivery } from './queue.ts';
import { type Subscription, toPubsubMessage } from './resources.ts';

/** How a delivery leaves; the attempt is told only where a dead-letter policy is set, as Google does. */
export function toReceivedMessage({ ackId, message, attempt }: Delivery, subscription: Subscription) {
  return {
    ackId,
    message: toPubsubMessage(message),
    deliveryAttempt: subscription.deadLetterPolicy ? attempt : 0,
  };
}
