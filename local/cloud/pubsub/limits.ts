// Google's limits, from cloud.google.com/pubsub/quotas ("Resource limits") unless a line says otherwise.

export const MAX_PUBLISH_BYTES = 10 * 1000 * 1000;
export const MAX_PUBLISH_MESSAGES = 1000;
export const MAX_ATTRIBUTES = 100;
export const MAX_ATTRIBUTE_KEY_BYTES = 256;
export const MAX_ATTRIBUTE_VALUE_BYTES = 1024;
export const MAX_ORDERING_KEY_BYTES = 1024;
/** Seconds; google.pubsub.v1.Subscription.ack_deadline_seconds. */
export const MIN_ACK_DEADLINE_S = 10;
export const MAX_ACK_DEADLINE_S = 600;
/** google.pubsub.v1.DeadLetterPolicy.max_delivery_attempts. */
export const MIN_DELIVERY_ATTEMPTS = 5;
export const MAX_DELIVERY_ATTEMPTS = 100;
/** google.pubsub.v1.RetryPolicy: both between 0 and 600 s; defaults when the policy is there without a value. */
export const MAX_BACKOFF_MS = 600_000;
export const DEFAULT_MIN_BACKOFF_MS = 10_000;
export const DEFAULT_MAX_BACKOFF_MS = 600_000;
/** google.pubsub.v1.Subscription.message_retention_duration: default and maximum here 7 days, minimum 10 minutes. */
export const DEFAULT_RETENTION_MS = 7 * 24 * 3600 * 1000;
export const MIN_RETENTION_MS = 10 * 60 * 1000;
export const MAX_RETENTION_MS = 31 * 24 * 3600 * 1000;
/** Status codes of a push endpoint that acknowledge (cloud.google.com/pubsub/docs/push). */
export const PUSH_ACK_STATUSES: ReadonlySet<number> = new Set([102, 200, 201, 202, 204]);
