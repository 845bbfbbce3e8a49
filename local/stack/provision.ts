// Makes the topics and subscriptions that terraform makes in the cloud, with the real client.
import type { CreateSubscriptionOptions, PubSub } from '@google-cloud/pubsub';
import {
  commandsTopic,
  DEAD_LETTER_TOPIC,
  type EntryPointName,
  PUSH_ROUTES,
  SUBSCRIPTION_TERMS,
} from '#shared/topology.ts';

export interface PushTarget {
  endpoint: string;
  serviceAccountEmail: string;
}

export interface ProvisionOptions {
  pubsub: PubSub;
  hosts: readonly string[];
  /** Where each entry point is; undefined when a bridge pushes instead of Pub/Sub itself. */
  pushTarget: (entryPoint: EntryPointName) => PushTarget | undefined;
}

const ALREADY_EXISTS = 6;

function isAlreadyThere(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === ALREADY_EXISTS;
}

async function unlessThere(create: Promise<unknown>): Promise<void> {
  await create.catch((error: unknown) => {
    if (!isAlreadyThere(error)) throw error;
  });
}

function terms(pubsub: PubSub, isPush: boolean): CreateSubscriptionOptions {
  return {
    ackDeadlineSeconds: isPush ? SUBSCRIPTION_TERMS.pushAckDeadlineS : SUBSCRIPTION_TERMS.ackDeadlineS,
    messageRetentionDuration: { seconds: SUBSCRIPTION_TERMS.retentionS },
    expirationPolicy: {},
    retryPolicy: {
      // Locally the wait is short, so that the tour takes seconds; the cloud waits SUBSCRIPTION_TERMS.minBackoffS.
      minimumBackoff: { seconds: 1 },
      maximumBackoff: { seconds: SUBSCRIPTION_TERMS.maxBackoffS },
    },
    deadLetterPolicy: {
      deadLetterTopic: pubsub.topic(DEAD_LETTER_TOPIC).name,
      maxDeliveryAttempts: isPush
        ? SUBSCRIPTION_TERMS.pushMaxDeliveryAttempts
        : SUBSCRIPTION_TERMS.maxDeliveryAttempts,
    },
  };
}

/** Creates the topics and subscriptions that are missing, and sets the push endpoints to this run's ports. */
export async function provisionPubsub({ pubsub, hosts, pushTarget }: ProvisionOptions): Promise<void> {
  await unlessThere(pubsub.createTopic(DEAD_LETTER_TOPIC));
  await unlessThere(
    pubsub.topic(DEAD_LETTER_TOPIC).createSubscription(DEAD_LETTER_TOPIC, { expirationPolicy: {} }),
  );
  for (const host of hosts) {
    const topic = commandsTopic(host);
    await unlessThere(pubsub.createTopic(topic));
    await unlessThere(
      pubsub.topic(topic).createSubscription(topic, { ...terms(pubsub, false), enableMessageOrdering: true }),
    );
  }
  for (const { topic, entryPoint } of PUSH_ROUTES) {
    await unlessThere(pubsub.createTopic(topic));
    await provisionPush(pubsub, topic, pushTarget(entryPoint));
  }
}

async function provisionPush(pubsub: PubSub, topic: string, target: PushTarget | undefined): Promise<void> {
  const pushConfig = target && {
    pushEndpoint: target.endpoint,
    oidcToken: { serviceAccountEmail: target.serviceAccountEmail, audience: target.endpoint },
  };
  const options = { ...terms(pubsub, pushConfig !== undefined), ...(pushConfig ? { pushConfig } : {}) };
  await unlessThere(pubsub.topic(topic).createSubscription(topic, options));
  if (pushConfig) await pubsub.subscription(topic).modifyPushConfig(pushConfig);
}
