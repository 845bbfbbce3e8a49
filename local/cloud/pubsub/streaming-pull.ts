// StreamingPull: messages as they come, within the client's flow control. Differs from production in that a stream stays
// open as long as the client keeps it; Google closes it after a while and the client opens it again.
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import * as z from 'zod';
import type { Broker } from './broker.ts';
import { invalidArgument, notOfForm } from './fault.ts';
import { MAX_ACK_DEADLINE_S, MIN_ACK_DEADLINE_S } from './limits.ts';
import { checkSubscriptionName } from './names.ts';
import type { Delivery, Queue } from './queue.ts';
import { type Subscription, toPubsubMessage } from './resources.ts';
import { asFault } from './unary.ts';

const Request = z.object({
  subscription: z.string().default(''),
  ackIds: z.array(z.string()).default([]),
  modifyDeadlineSeconds: z.array(z.int()).default([]),
  modifyDeadlineAckIds: z.array(z.string()).default([]),
  streamAckDeadlineSeconds: z.int().default(0),
  maxOutstandingMessages: z.coerce.number().int().default(0),
});
type Request = z.infer<typeof Request>;

type Stream = ServerDuplexStream<unknown, unknown>;

/** Messages in one response, so that none comes near gRPC's size limit unless one message does. */
const MAX_BATCH = 100;

interface Session {
  settle(request: Request): void;
  close(): void;
}

/** The method over a broker. */
export function streamingPull(broker: Broker): handleBidiStreamingCall<unknown, unknown> {
  return (stream) => {
    let session: Session | undefined;
    const end = (): void => {
      session?.close();
      session = undefined;
    };
    stream.on('data', (raw: unknown) => {
      try {
        const request = Request.parse(raw);
        session ??= openSession(broker, stream, request);
        session.settle(request);
      } catch (error) {
        end();
        stream.emit('error', error instanceof z.ZodError ? notOfForm(error) : asFault(error));
      }
    });
    stream.on('end', () => {
      end();
      stream.end();
    });
    stream.on('cancelled', end);
    stream.on('error', end);
  };
}

function openSession(broker: Broker, stream: Stream, first: Request): Session {
  const name = checkSubscriptionName(first.subscription);
  const subscription = broker.subscription(name);
  const queue = broker.queue(name);
  const { streamAckDeadlineSeconds: deadlineS } = first;
  if (deadlineS < MIN_ACK_DEADLINE_S || deadlineS > MAX_ACK_DEADLINE_S) {
    throw invalidArgument(
      `Invalid stream ack deadline: ${deadlineS}, must be between ${MIN_ACK_DEADLINE_S} and ${MAX_ACK_DEADLINE_S}`,
    );
  }
  const outstanding = new Set<string>();
  const pump = (): void => {
    for (const ackId of outstanding) if (!queue.isLeased(ackId)) outstanding.delete(ackId);
    const room =
      first.maxOutstandingMessages > 0 ? first.maxOutstandingMessages - outstanding.size : MAX_BATCH;
    const taken = room > 0 ? queue.take(Math.min(room, MAX_BATCH), deadlineS * 1000) : [];
    if (taken.length === 0) return;
    for (const { ackId } of taken) outstanding.add(ackId);
    stream.write({
      receivedMessages: taken.map((delivery) => toReceivedMessage(delivery, subscription)),
      subscriptionProperties: {
        exactlyOnceDeliveryEnabled: false,
        messageOrderingEnabled: subscription.enableMessageOrdering,
      },
    });
    setImmediate(pump);
  };
  const stop = queue.onReady(pump);
  setImmediate(pump);
  return { settle: (request) => settleOn(queue, request), close: stop };
}

/** A delivery as the client gets it; it has its attempt only where a dead-letter policy is set, as Google does. */
function toReceivedMessage({ ackId, message, attempt }: Delivery, subscription: Subscription) {
  return {
    ackId,
    message: toPubsubMessage(message),
    deliveryAttempt: subscription.deadLetterPolicy ? attempt : 0,
  };
}

function settleOn(queue: Queue, { ackIds, modifyDeadlineAckIds, modifyDeadlineSeconds }: Request): void {
  if (modifyDeadlineAckIds.length !== modifyDeadlineSeconds.length) {
    throw invalidArgument('modify_deadline_ack_ids and modify_deadline_seconds differ in length');
  }
  for (const ackId of ackIds) queue.ack(ackId);
  for (const [i, ackId] of modifyDeadlineAckIds.entries())
    queue.modifyDeadline(ackId, (modifyDeadlineSeconds[i] ?? 0) * 1000);
}
