// Cloud Storage's notifications of finalised objects, published in Pub/Sub as its own service agent does it in the cloud.
import { PubSub } from '@google-cloud/pubsub';
import type { PublishNotification } from '#local/cloud/gcs/event-message.ts';
import { OBJECTS_TOPIC } from '#shared/topology.ts';
import { PROJECT_ID } from './identities.ts';

export interface Notifier {
  publish: PublishNotification;
  close(): Promise<void>;
}

/** A publisher of object notifications in the Pub/Sub at `pubsubAddress`. */
export function openNotifier(pubsubAddress: string): Notifier {
  const pubsub = new PubSub({ projectId: PROJECT_ID, apiEndpoint: pubsubAddress, emulatorMode: true });
  const topic = pubsub.topic(OBJECTS_TOPIC, { batching: { maxMessages: 1, maxMilliseconds: 1 } });
  return {
    publish: async (notification) => {
      await topic.publishMessage(notification);
    },
    close: () => pubsub.close(),
  };
}
