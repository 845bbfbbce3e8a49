// Publishes to Pub/Sub. The client is imported and created at the first message.
import type { PubSub, Topic } from '@google-cloud/pubsub';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { withinMs } from '#shared/kit/deadline.ts';
import type { WireMessage } from '#shared/signing/message.ts';

export interface Publisher {
  /** Publishes one message and gives its id. Throws `unavailable` (retryable) when Pub/Sub did not take it. */
  publish(topic: string, message: WireMessage, orderingKey?: string): Promise<string>;
  close(): Promise<void>;
}

/** Without it the client would retry for ten minutes. */
const PUBLISH_TIMEOUT_MS = 15_000;

/** A publisher of a project; PUBSUB_EMULATOR_HOST is the client's own variable. */
export function createPublisher(projectId: string): Publisher {
  let client: Promise<PubSub> | undefined;
  const topics = new Map<string, Topic>();
  const openTopic = async (name: string): Promise<Topic> => {
    client ??= import('./pubsub-client.ts').then(({ openPubsub }) => openPubsub(projectId));
    const pubsub = await client;
    const known = topics.get(name);
    if (known) return known;
    const topic = pubsub.topic(name, {
      messageOrdering: true,
      // A message must not wait for a batch.
      batching: { maxMessages: 1, maxMilliseconds: 1 },
      gaxOpts: { timeout: PUBLISH_TIMEOUT_MS },
    });
    topics.set(name, topic);
    return topic;
  };
  return {
    publish: async (name, { data, attributes }, orderingKey) => {
      const topic = await openTopic(name);
      try {
        const message = orderingKey === undefined ? { data, attributes } : { data, attributes, orderingKey };
        return await withinMs(PUBLISH_TIMEOUT_MS, topic.publishMessage(message));
      } catch (error) {
        // After a failure the client refuses further messages of the key until publishing is resumed.
        if (orderingKey !== undefined) topic.resumePublishing(orderingKey);
        throw new LamplighterError('unavailable', `publish to ${name}: ${messageOf(error)}`, {
          retryable: true,
          cause: error,
        });
      }
    },
    close: async () => {
      if (client) await (await client).close();
    },
  };
}
