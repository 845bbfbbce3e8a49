// google.pubsub.v1.Publisher, as far as Lamplighter calls it.
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import * as z from 'zod';
import type { Broker } from './broker.ts';
import { invalidArgument } from './fault.ts';
import * as limits from './limits.ts';
import { checkTopicName } from './names.ts';
import { InMessage, Topic } from './resources.ts';
import { unary } from './unary.ts';

const Publish = z.object({ topic: z.string(), messages: z.array(InMessage) });

function checkMessage({ data, attributes, orderingKey }: InMessage): void {
  const pairs = Object.entries(attributes);
  if (data.length === 0 && pairs.length === 0) {
    throw invalidArgument('The value for message is invalid: it must have data or at least one attribute');
  }
  if (pairs.length > limits.MAX_ATTRIBUTES)
    throw invalidArgument(`A message has more than ${limits.MAX_ATTRIBUTES} attributes`);
  for (const [key, value] of pairs) {
    const isKeyValid =
      key !== '' && Buffer.byteLength(key) <= limits.MAX_ATTRIBUTE_KEY_BYTES && !key.startsWith('goog');
    if (!isKeyValid) throw invalidArgument(`Invalid attribute key: ${key.slice(0, 50)}`);
    if (Buffer.byteLength(value) > limits.MAX_ATTRIBUTE_VALUE_BYTES)
      throw invalidArgument(`The value of attribute ${key} is too long`);
  }
  if (Buffer.byteLength(orderingKey) > limits.MAX_ORDERING_KEY_BYTES)
    throw invalidArgument('The ordering key is too long');
}

function checkBatch(messages: readonly InMessage[]): void {
  if (messages.length === 0) throw invalidArgument('No messages to publish were specified');
  if (messages.length > limits.MAX_PUBLISH_MESSAGES) {
    throw invalidArgument(`The request has more than ${limits.MAX_PUBLISH_MESSAGES} messages`);
  }
  const bytes = messages.reduce(
    (sum, message) => sum + message.data.length + Buffer.byteLength(JSON.stringify(message.attributes)),
    0,
  );
  if (bytes > limits.MAX_PUBLISH_BYTES)
    throw invalidArgument(`Request payload size exceeds the limit: ${limits.MAX_PUBLISH_BYTES} bytes`);
  for (const message of messages) checkMessage(message);
}

/** The service's methods over a broker. */
export function publisherService(broker: Broker): UntypedServiceImplementation {
  return {
    createTopic: unary(Topic, (topic) => {
      checkTopicName(topic.name);
      return broker.createTopic(topic);
    }),
    publish: unary(Publish, ({ topic, messages }) => {
      broker.topic(checkTopicName(topic));
      checkBatch(messages);
      return { messageIds: broker.publish(topic, messages) };
    }),
  };
}
