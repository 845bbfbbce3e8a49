// Google's Pub/Sub client as the agent uses it: its own subscription, and the reports topic. The agent imports it when
// everything else is ready, since loading the client takes most of the agent's start.
import { Duration, type Message, PubSub, type Subscription } from '@google-cloud/pubsub';
import { messageOf } from '#shared/errors.ts';
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
/** The client's own retries (for ten minutes, with pauses of up to one) would make reports late after a short outage. */
const PUBLISH_RETRY = {
  backoffSettings: {
    initialRetryDelayMillis: 100,
    retryDelayMultiplier: 2,
    maxRetryDelayMillis: 2000,
    initialRpcTimeoutMillis: 10_000,
    rpcTimeoutMultiplier: 1,
    maxRpcTimeoutMillis: 10_000,
    totalTimeoutMillis: 20_000,
  },
};
/** gRPC's own pause between attempts grows to two minutes; a heartbeat that is missing for so long raises an alert. */
const CHANNEL = { 'grpc.max_reconnect_backoff_ms': 5000 };

/** Opens the client; PUBSUB_EMULATOR_HOST points it elsewhere, as Google's clients do. */
export function connectPubsub(options: ConnectionOptions): Connection {
  const client = new PubSub({ projectId: options.projectId, ...CHANNEL });
  const topic = client.topic(options.reportsTopic, {
    batching: { maxMilliseconds: 2 },
    gaxOpts: { retry: PUBLISH_RETRY },
  });
  let subscription: Subscription | undefined;
  let isClosing = false;
  const open: Connection['subscribe'] = (handle, onTrouble) => {
    if (isClosing) return;
    const current = openSubscription(client, options.subscription);
    subscription = current;
    current.on('message', (message: Message) => void take(message, handle, onTrouble));
    let isBroken = false;
    current.on('error', (error: Error) => {
      onTrouble(`subscription ${options.subscription}: ${error.message}`);
      // A broken stream may emit several errors; it is replaced once.
      if (isBroken) return;
      isBroken = true;
      void current.close().catch(() => undefined);
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

async function take(
  message: Message,
  handle: (message: Inbound) => Promise<void>,
  onTrouble: (text: string) => void,
): Promise<void> {
  const { data, attributes, id } = message;
  try {
    await handle({ data, attributes, messageId: id });
    message.ack();
  } catch (error) {
    onTrouble(`take message ${id}: ${messageOf(error)}`);
    message.nack();
  }
}

function openSubscription(client: PubSub, name: string): Subscription {
  return client.subscription(name, {
    flowControl: { maxMessages: MAX_MESSAGES },
    // Acks go out at once: when the agent dies before an ack that waits, the command is delivered again.
    batching: { maxMessages: 1, maxMilliseconds: 1 },
    // By default the pauses between attempts to pull grow to a minute.
    streamingOptions: { maxStreams: 1, retryMaxBackoff: Duration.from({ seconds: 5 }) },
  });
}
