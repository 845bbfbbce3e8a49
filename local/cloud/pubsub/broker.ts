// Topics and subscriptions together: a published message goes to each subscription of its topic.
import { alreadyExists, notFound } from './fault.ts';
import type { MintIdToken } from './push.ts';
import { startPushLoop } from './push-loop.ts';
import { createQueue, type Queue } from './queue.ts';
import type { InMessage, StoredMessage, Subscription, Topic } from './resources.ts';
import type { PubsubStorage } from './storage.ts';

interface Live {
  subscription: Subscription;
  queue: Queue;
  stopPush: () => Promise<void>;
}

export interface Broker {
  topic(name: string): Topic;
  createTopic(topic: Topic): Topic;
  subscription(name: string): Subscription;
  createSubscription(subscription: Subscription): Subscription;
  updateSubscription(subscription: Subscription): Promise<Subscription>;
  queue(name: string): Queue;
  /** Message ids, in order. */
  publish(topic: string, messages: readonly InMessage[]): string[];
  close(): Promise<void>;
}

/** Opens a broker over what the storage has. */
export function openBroker(storage: PubsubStorage, mintIdToken: MintIdToken | undefined): Broker {
  return new StoredBroker(storage, mintIdToken);
}

class StoredBroker implements Broker {
  readonly #storage: PubsubStorage;
  readonly #mintIdToken: MintIdToken | undefined;
  readonly #topics: Map<string, Topic>;
  readonly #lives = new Map<string, Live>();

  constructor(storage: PubsubStorage, mintIdToken: MintIdToken | undefined) {
    this.#storage = storage;
    this.#mintIdToken = mintIdToken;
    this.#topics = new Map(storage.topics().map((topic) => [topic.name, topic]));
    for (const subscription of storage.subscriptions()) this.#bring(subscription);
  }

  topic(name: string): Topic {
    return this.#topics.get(name) ?? fail(notFound(lastPart(name)));
  }

  createTopic(topic: Topic): Topic {
    if (this.#topics.has(topic.name)) throw alreadyExists(lastPart(topic.name));
    this.#topics.set(topic.name, topic);
    this.#storage.putTopic(topic);
    return topic;
  }

  subscription(name: string): Subscription {
    return this.#find(name).subscription;
  }

  createSubscription(subscription: Subscription): Subscription {
    if (this.#lives.has(subscription.name)) throw alreadyExists(lastPart(subscription.name));
    this.topic(subscription.topic);
    this.#storage.putSubscription(subscription);
    return this.#bring(subscription).subscription;
  }

  async updateSubscription(subscription: Subscription): Promise<Subscription> {
    const live = this.#find(subscription.name);
    this.#storage.putSubscription(subscription);
    live.subscription = subscription;
    live.queue.update(subscription);
    await live.stopPush();
    this.#push(live);
    return subscription;
  }

  queue(name: string): Queue {
    return this.#find(name).queue;
  }

  publish(topic: string, messages: readonly InMessage[]): string[] {
    this.topic(topic);
    const receivers = [...this.#lives.values()].filter(({ subscription }) => subscription.topic === topic);
    const names = receivers.map(({ subscription }) => subscription.name);
    const stored = this.#storage.publish(messages, names, Date.now());
    for (const message of stored) {
      for (const { queue } of receivers) queue.add({ message, attempts: 0 });
    }
    return stored.map(({ id }) => id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lives.values()].map((live) => live.stopPush()));
    for (const live of this.#lives.values()) live.queue.close();
    this.#storage.close();
  }

  #find(name: string): Live {
    return this.#lives.get(name) ?? fail(notFound(lastPart(name)));
  }

  #bring(subscription: Subscription): Live {
    const { name } = subscription;
    const live: Live = {
      subscription,
      queue: createQueue(subscription, {
        onAttempt: (id, attempts) => this.#storage.attempted(name, id, attempts),
        onSettled: (id) => this.#storage.settled(name, id),
        onDead: (message, attempts) => this.#bury(live.subscription, message, attempts),
      }),
      stopPush: stopNothing,
    };
    this.#lives.set(name, live);
    for (const pending of this.#storage.pending(name)) live.queue.add(pending);
    this.#push(live);
    return live;
  }

  #push(live: Live): void {
    live.stopPush = live.subscription.pushConfig?.pushEndpoint
      ? startPushLoop(live.subscription, live.queue, this.#mintIdToken)
      : stopNothing;
  }

  #bury(source: Subscription, message: StoredMessage, attempts: number): void {
    const topic = source.deadLetterPolicy?.deadLetterTopic;
    if (!topic || !this.#topics.has(topic)) return;
    const attributes = { ...message.attributes, ...deadLetterAttributes(source, message, attempts) };
    this.publish(topic, [{ ...message, attributes }]);
  }
}

function stopNothing(): Promise<void> {
  return Promise.resolve();
}

function fail(error: Error): never {
  throw error;
}

function lastPart(name: string): string {
  return name.split('/').at(-1) ?? name;
}

/** The attributes Google adds (cloud.google.com/pubsub/docs/dead-letter-topics). */
function deadLetterAttributes(
  source: Subscription,
  message: StoredMessage,
  attempts: number,
): Record<string, string> {
  return {
    CloudPubSubDeadLetterSourceDeliveryCount: String(attempts),
    CloudPubSubDeadLetterSourceSubscription: lastPart(source.name),
    CloudPubSubDeadLetterSourceSubscriptionProject: source.name.split('/')[1] ?? '',
    CloudPubSubDeadLetterSourceTopicPublishTime: new Date(message.publishedMs).toISOString(),
  };
}
