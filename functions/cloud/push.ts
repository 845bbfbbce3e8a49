// The body of a Pub/Sub push request (cloud.google.com/pubsub/docs/push#receive_push).
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';

const PushBody = z.lazy(() =>
  z.object({
    message: z.object({
      data: z.base64().default(''),
      attributes: z.record(z.string(), z.string()).nullish(),
      messageId: z.string(),
      publishTime: z.string().optional(),
      orderingKey: z.string().optional(),
    }),
    subscription: z.string(),
    /** Set only where the subscription has a dead-letter topic. */
    deliveryAttempt: z.int().optional(),
  }),
);

/** A pushed message. */
export interface PushMessage {
  id: string;
  data: Buffer;
  attributes: Record<string, string>;
  subscription: string;
  deliveryAttempt: number | undefined;
}

/** Reads a pushed message. Throws `invalid-input` when the body is not a push. */
export function parsePush(body: unknown): PushMessage {
  const parsed = PushBody.safeParse(body);
  if (!parsed.success) throw new LamplighterError('invalid-input', 'read push: not a Pub/Sub push body');
  const { message, subscription, deliveryAttempt } = parsed.data;
  return {
    id: message.messageId,
    data: Buffer.from(message.data, 'base64'),
    attributes: message.attributes ?? {},
    subscription,
    deliveryAttempt,
  };
}
