// Drives a push subscription: takes the deliverable messages and posts them, several at once.
import { MAX_ACK_DEADLINE_S } from './limits.ts';
import { type MintIdToken, pushMessage } from './push.ts';
import type { Delivery, Queue } from './queue.ts';
import type { Subscription } from './resources.ts';

const CONCURRENCY = 10;

/** Starts pushing until stopped; stopping waits for the posts under way. */
export function startPushLoop(
  subscription: Subscription,
  queue: Queue,
  mintIdToken: MintIdToken | undefined,
): () => Promise<void> {
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  const deadlineMs = (subscription.ackDeadlineSeconds || MAX_ACK_DEADLINE_S) * 1000;
  const { pushEndpoint = '', oidcToken } = subscription.pushConfig ?? {};
  const oidc = oidcToken && {
    serviceAccountEmail: oidcToken.serviceAccountEmail,
    // Without an audience Google uses the endpoint's URL.
    audience: oidcToken.audience || pushEndpoint,
  };
  const deliver = async ({ ackId, message, attempt }: Delivery): Promise<void> => {
    const request = {
      target: { endpoint: pushEndpoint, oidc: oidc ?? undefined },
      subscription: subscription.name,
      message,
      deliveryAttempt: subscription.deadLetterPolicy ? attempt : undefined,
      timeoutMs: deadlineMs,
      mintIdToken,
    };
    if (await pushMessage(request, stop.signal)) queue.ack(ackId);
    else queue.modifyDeadline(ackId, 0);
  };
  const pump = (): void => {
    if (stop.signal.aborted) return;
    for (const delivery of queue.take(CONCURRENCY - running.size, deadlineMs)) {
      const work = deliver(delivery).finally(() => {
        running.delete(work);
        pump();
      });
      running.add(work);
    }
  };
  const unsubscribe = queue.onReady(pump);
  pump();
  return async () => {
    stop.abort();
    unsubscribe();
    await Promise.allSettled(running);
  };
}
