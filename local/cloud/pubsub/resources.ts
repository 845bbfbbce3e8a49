// Topics, subscriptions and messages as they come in over gRPC, parsed; proto-loader gives camelCase, int64 as strings.
import * as z from 'zod';

const Duration = z.object({ seconds: z.coerce.number().default(0), nanos: z.number().default(0) });

/** Milliseconds of a google.protobuf.Duration. */
export function toMs(duration: { seconds: number; nanos: number } | null | undefined): number | undefined {
  return duration ? duration.seconds * 1000 + duration.nanos / 1e6 : undefined;
}

export const Topic = z.looseObject({
  name: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
});
export type Topic = z.infer<typeof Topic>;

export const PushConfig = z.looseObject({
  pushEndpoint: z.string().default(''),
  oidcToken: z.object({ serviceAccountEmail: z.string(), audience: z.string().default('') }).nullish(),
});
export type PushConfig = z.infer<typeof PushConfig>;

export const Subscription = z.looseObject({
  name: z.string(),
  topic: z.string(),
  pushConfig: PushConfig.nullish(),
  ackDeadlineSeconds: z.int().default(0),
  messageRetentionDuration: Duration.nullish(),
  enableMessageOrdering: z.boolean().default(false),
  enableExactlyOnceDelivery: z.boolean().default(false),
  filter: z.string().default(''),
  labels: z.record(z.string(), z.string()).default({}),
  expirationPolicy: z.looseObject({ ttl: Duration.nullish() }).nullish(),
  deadLetterPolicy: z
    .object({ deadLetterTopic: z.string(), maxDeliveryAttempts: z.int().default(0) })
    .nullish(),
  retryPolicy: z.object({ minimumBackoff: Duration.nullish(), maximumBackoff: Duration.nullish() }).nullish(),
});
export type Subscription = z.infer<typeof Subscription>;

export const InMessage = z.object({
  data: z.instanceof(Buffer).default(Buffer.alloc(0)),
  attributes: z.record(z.string(), z.string()).default({}),
  orderingKey: z.string().default(''),
});
export type InMessage = z.infer<typeof InMessage>;

/** A message as it was published. */
export interface StoredMessage extends InMessage {
  id: string;
  publishedMs: number;
}

/** How a message leaves over gRPC. */
export function toPubsubMessage(message: StoredMessage) {
  return {
    data: message.data,
    attributes: message.attributes,
    messageId: message.id,
    publishTime: {
      seconds: Math.floor(message.publishedMs / 1000),
      nanos: (message.publishedMs % 1000) * 1e6,
    },
    orderingKey: message.orderingKey,
  };
}
