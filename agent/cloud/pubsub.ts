// Google's Pub/Sub client as the agent uses it: its own subscription, and the reports topic. Imported when the agent has
// everything else ready, since the client takes most of its start.
import { type Message, PubSub, type Subscription } from '@google-cloud/pubsub';
import type { WireMessage } from '#shared/signing/message.ts';

export interface Inbound {
  data: Uint8Array;
  attributes: Record<string, string>;
  messageId: string;
}

export interface Connection {
  publish(message: WireMessage): Promise<void>;
  /** Hands each message over; it is acknowledged when `handle` resolves and delivered again when it throws. */
  subscribe(handle: (message: Inbound) => Promise<void>, onTrouble: (text: string) => void): void;
  close(): Promise<void>;
}

export interface ConnectionOptions {
  projectId: string;
  subscription: string;
  reportsTopic: string;
}

const MAX_MESSAGES = 20;
const REOPEN_AFTER_MS = 2000;

/** Opens the client; PUBSUB_EMULATOR_HOST points it elsewhere, as Google's clients do. */
export function connectPubsub(options: ConnectionOptions): Connection {
  const client = new PubSub({ projectId: options.projectId });
  const topic = client.topic(options.reportsTopic, { batching: { maxMilliseconds: 2 } });
  let subscription: Subscription | undefined;
  let isClosing = false;
  const open = (handle: (message: Inbound) => Promise<void>, onTrouble: (text: string) => void): void => {
    if (isClosing) return;
    subscription = openSubscription(client, options.subscription);
    subscription.on('message', (message: Message) => {
      const { data, attributes, id } = message;
      handle({ data, attributes, messageId: id }).then(
        () => message.ack(),
        (error: Error) => {
          onTrouble(`take message ${id}: ${error.message}`);
          message.nack();
        },
      );
    });
    subscription.on('error', (error: Error) => {
      onTrouble(`subscription ${options.subscription}: ${error.message}`);
      void subscription?.close().catch(() => undefined);
      setTimeout(() => open(handle, onTrouble), REOPEN_AFTER_MS).unref();
    });
  };
  return {
    publish: async (message) => {
      await topic.publishMessage(message);
    },
    subscribe: open,
    close: async () => {
      isClosing = true;
      await subscription?.close();
      await topic.flush();
      await client.close();
    },
  };
}

function openSubscription(client: PubSub, name: string): Subscription {
  return client.subscription(name, {
    flowControl: { maxMessages: MAX_MESSAGES },
    // Acks go out at once: an ack that waits is a command delivered twice when the agent dies meanwhile.
    batching: { maxMessages: 1, maxMilliseconds: 1 },
    streamingOptions: { maxStreams: 1 },
  });
}
