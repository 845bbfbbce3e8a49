// What Google refuses about a subscription, and what it fills in.
import { invalidArgument, notServed } from './fault.ts';
import * as limits from './limits.ts';
import { checkSubscriptionName, checkTopicName } from './names.ts';
import { type Subscription, toMs } from './resources.ts';

function checkRange(what: string, value: number, min: number, max: number): void {
  if (value < min || value > max)
    throw invalidArgument(`Invalid ${what}: ${value}, must be between ${min} and ${max}`);
}

function checkPushEndpoint(endpoint: string): void {
  if (endpoint !== '' && !URL.canParse(endpoint)) {
    throw invalidArgument(`Invalid push endpoint given (endpoint=${endpoint})`);
  }
}

function checkTimes({ messageRetentionDuration, retryPolicy }: Subscription): void {
  const retentionMs = toMs(messageRetentionDuration) ?? limits.DEFAULT_RETENTION_MS;
  checkRange('message retention (ms)', retentionMs, limits.MIN_RETENTION_MS, limits.MAX_RETENTION_MS);
  for (const backoff of [retryPolicy?.minimumBackoff, retryPolicy?.maximumBackoff]) {
    checkRange('backoff (ms)', toMs(backoff) ?? 0, 0, limits.MAX_BACKOFF_MS);
  }
}

function checkDeadLetters(dead: Subscription['deadLetterPolicy']): Subscription['deadLetterPolicy'] {
  if (!dead?.deadLetterTopic) return null;
  checkTopicName(dead.deadLetterTopic);
  const maxDeliveryAttempts = dead.maxDeliveryAttempts || limits.MIN_DELIVERY_ATTEMPTS;
  checkRange(
    'max delivery attempts',
    maxDeliveryAttempts,
    limits.MIN_DELIVERY_ATTEMPTS,
    limits.MAX_DELIVERY_ATTEMPTS,
  );
  return { ...dead, maxDeliveryAttempts };
}

/** Checks a subscription and fills in Google's defaults. Throws INVALID_ARGUMENT. */
export function checkSubscription(subscription: Subscription): Subscription {
  checkSubscriptionName(subscription.name);
  checkTopicName(subscription.topic);
  if (subscription.filter !== '') throw notServed('A filter');
  if (subscription.enableExactlyOnceDelivery) throw notServed('Exactly-once delivery');
  const ackDeadlineSeconds = subscription.ackDeadlineSeconds || limits.MIN_ACK_DEADLINE_S;
  checkRange('ack deadline', ackDeadlineSeconds, limits.MIN_ACK_DEADLINE_S, limits.MAX_ACK_DEADLINE_S);
  checkTimes(subscription);
  checkPushEndpoint(subscription.pushConfig?.pushEndpoint ?? '');
  return {
    ...subscription,
    ackDeadlineSeconds,
    deadLetterPolicy: checkDeadLetters(subscription.deadLetterPolicy),
  };
}
