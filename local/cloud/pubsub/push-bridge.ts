// For Google's own emulator in place of ours: its push sends no OIDC token, so this pulls with the real client and pushes
// as Pub/Sub does, with the same code as our server.
import { type Message, PubSub } from '@google-cloud/pubsub';
import { MAX_ACK_DEADLINE_S } from './limits.ts';
import { type MintIdToken, type PushTarget, pushMessage } from './push.ts';

export interface PushRoute extends PushTarget {
  subscription: string;
}

export interface PushBridgeOptions {
  pubsubAddress: string;
  projectId: string;
  routes: readonly PushRoute[];
  mintIdToken: MintIdToken;
}

/** Starts pushing what comes on pull subscriptions. */
export function startPushBridge(options: PushBridgeOptions): Promise<{ close(): Promise<void> }> {
  const client = new PubSub({
    projectId: options.projectId,
    apiEndpoint: options.pubsubAddress,
    emulatorMode: true,
  });
  const stop = new AbortController();
  const subscriptions = options.routes.map((route) => {
    const subscription = client.subscription(route.subscription, { batching: { maxMessages: 1 } });
    subscription.on('message', (message: Message) => {
      void forward(route, message, options, stop.signal).then((isTaken) =>
        isTaken ? message.ack() : message.nack(),
      );
    });
    subscription.on('error', () => undefined);
    return subscription;
  });
  return Promise.resolve({
    close: async () => {
      stop.abort();
      await Promise.all(subscriptions.map((subscription) => subscription.close()));
      await client.close();
    },
  });
}

function forward(
  route: PushRoute,
  message: Message,
  options: PushBridgeOptions,
  stop: AbortSignal,
): Promise<boolean> {
  return pushMessage(
    {
      target: route,
      subscription: `projects/${options.projectId}/subscriptions/${route.subscription}`,
      message: {
        id: message.id,
        data: message.data,
        attributes: message.attributes,
        orderingKey: message.orderingKey ?? '',
        publishedMs: message.publishTime.getTime(),
      },
      timeoutMs: MAX_ACK_DEADLINE_S * 1000,
      mintIdToken: options.mintIdToken,
    },
    stop,
  );
}
