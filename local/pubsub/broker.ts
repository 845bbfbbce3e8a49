// Topics and subscriptions together: what is published goes to each subscription whose filter lets it.
import { alreadyExists, notFound } from './fault.ts';
import { compileFilter, type Predicate } from './filter.ts';
import type { MintIdToken } from './push.ts';
import { startPushLoop } from './push-loop.ts';
import { createQueue, type Queue } from './queue.ts';
import type { InMessage, StoredMessage, Subscription, Topic } from './resources.ts';
import type { PubsubStorage } from './storage.ts';

const DELETED_TOPIC = '_deleted-topic_';

interface Live {
  subscription: Subscription;
  queue: Queue;
  matches: Predicate;
  stopPush?: (() => Promise<void>) | undefined;
}

export interface Broker {
  topic(name: string): Topic;
  topics(): Topic[];
  createTopic(topic: Topic): Topic;
  updateTopic(topic: Topic): Topic;
  deleteTopic(name: string): void;
  subscription(name: string): Subscription;
  subscriptions(): Subscription[];
  createSubscription(subscription: Subscription): Subscription;
  updateSubscription(subscription: Subscription): Promise<Subscription>;
  deleteSubscription(name: string): Promise<void>;
  queue(name: string): Queue;
  /** Message ids, in order. */
  publish(topic: string, messages: readonly InMessage[]): string[];
  close(): Promise<void>;
}

/** Opens a broker over what the storage has. */
export function openBroker(storage: PubsubStorage, mintIdToken: MintIdToken | undefined): Broker {
  const topics = new Map(storage.topics().map((topic) => [topic.name, topic]));
  const lives = new Map<string, Live>();

  const findTopic = (name: string): Topic => topics.get(name) ?? fail(notFound(lastPart(name)));
  const find = (name: string): Live => lives.get(name) ?? fail(notFound(lastPart(name)));
  const publish = (topic: string, messages: readonly InMessage[]): string[] => {
    const receivers = [...lives.values()].filter(({ subscription }) => subscription.topic === topic);
    const owed = messages.map((message) => ({
      message,
      subscriptions: receivers
        .filter(({ matches }) => matches(message.attributes))
        .map(({ subscription }) => subscription.name),
    }));
    const stored = storage.publish(owed, Date.now());
    for (const [i, message] of stored.entries()) {
      for (const name of owed[i]?.subscriptions ?? []) lives.get(name)?.queue.add({ message, attempts: 0 });
    }
    return stored.map(({ id }) => id);
  };
  const bury = (source: Subscription, message: StoredMessage, attempts: number): void => {
    const topic = source.deadLetterPolicy?.deadLetterTopic;
    if (!topic || !topics.has(topic)) return;
    publish(topic, [
      {
        ...message,
        attributes: { ...message.attributes, ...deadLetterAttributes(source, message, attempts) },
      },
    ]);
  };
  const push = (live: Live): void => {
    if (live.subscription.pushConfig?.pushEndpoint) {
      live.stopPush = startPushLoop(live.subscription, live.queue, mintIdToken);
    }
  };
  const bring = (subscription: Subscription): Live => {
    const { name } = subscription;
    const live: Live = {
      subscription,
      matches: compileFilter(subscription.filter),
      queue: createQueue(subscription, {
        onAttempt: (id, attempts) => storage.attempted(name, id, attempts),
        onSettled: (id) => storage.settled(name, id),
        onDead: (message, attempts) => bury(live.subscription, message, attempts),
      }),
    };
    lives.set(name, live);
    for (const pending of storage.pending(name)) live.queue.add(pending);
    push(live);
    return live;
  };
  const change = async (subscription: Subscription): Promise<Subscription> => {
    const live = find(subscription.name);
    storage.putSubscription(subscription);
    live.subscription = subscription;
    live.queue.update(subscription);
    await live.stopPush?.();
    live.stopPush = undefined;
    push(live);
    return subscription;
  };
  for (const subscription of storage.subscriptions()) bring(subscription);
  return {
    topic: findTopic,
    topics: () => [...topics.values()],
    createTopic: (topic) => {
      if (topics.has(topic.name)) throw alreadyExists(lastPart(topic.name));
      return keepTopic(topic, topics, storage);
    },
    updateTopic: (topic) => keepTopic({ ...findTopic(topic.name), ...topic }, topics, storage),
    deleteTopic: (name) => {
      findTopic(name);
      topics.delete(name);
      storage.removeTopic(name);
      // Its subscriptions stay and keep what they have.
      for (const live of lives.values()) {
        if (live.subscription.topic !== name) continue;
        live.subscription = { ...live.subscription, topic: DELETED_TOPIC };
        storage.putSubscription(live.subscription);
      }
    },
    subscription: (name) => find(name).subscription,
    subscriptions: () => [...lives.values()].map(({ subscription }) => subscription),
    createSubscription: (subscription) => {
      if (lives.has(subscription.name)) throw alreadyExists(lastPart(subscription.name));
      findTopic(subscription.topic);
      storage.putSubscription(subscription);
      return bring(subscription).subscription;
    },
    updateSubscription: change,
    deleteSubscription: async (name) => {
      const live = find(name);
      lives.delete(name);
      storage.removeSubscription(name);
      await live.stopPush?.();
      live.queue.close();
    },
    queue: (name) => find(name).queue,
    publish: (topic, messages) => publish(findTopic(topic).name, messages),
    close: async () => {
      await Promise.all([...lives.values()].map((live) => live.stopPush?.()));
      for (const live of lives.values()) live.queue.close();
      storage.close();
    },
  };
}

function keepTopic(topic: Topic, topics: Map<string, Topic>, storage: PubsubStorage): Topic {
  topics.set(topic.name, topic);
  storage.putTopic(topic);
  return topic;
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
