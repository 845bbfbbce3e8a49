// Google's Pub/Sub client in a module of its own, which is imported when the first message is published.
import { PubSub } from '@google-cloud/pubsub';

export function openPubsub(projectId: string): PubSub {
  return new PubSub({ projectId });
}
