// Push delivery as Pub/Sub does it (cloud.google.com/pubsub/docs/push): one POST per message in the wrapped form, with an
// OIDC token when one is configured. Used by our server and by the bridge for Google's emulator.

import { PUSH_ACK_STATUSES } from './limits.ts';
import type { StoredMessage } from './resources.ts';

export type MintIdToken = (request: { serviceAccountEmail: string; audience: string }) => Promise<string>;

export interface PushTarget {
  endpoint: string;
  oidc?: { serviceAccountEmail: string; audience: string } | undefined;
}

export interface PushRequest {
  target: PushTarget;
  subscription: string;
  message: StoredMessage;
  /** Only sent where a dead-letter policy is set, as Google does. */
  deliveryAttempt?: number | undefined;
  timeoutMs: number;
  mintIdToken: MintIdToken | undefined;
}

function writeBody({ message, subscription, deliveryAttempt }: PushRequest): string {
  const publishTime = new Date(message.publishedMs).toISOString();
  return JSON.stringify({
    message: {
      data: message.data.toString('base64'),
      attributes: message.attributes,
      messageId: message.id,
      message_id: message.id,
      publishTime,
      publish_time: publishTime,
      ...(message.orderingKey === '' ? {} : { orderingKey: message.orderingKey }),
    },
    subscription,
    ...(deliveryAttempt === undefined ? {} : { deliveryAttempt }),
  });
}

/** Delivers one message; true when the endpoint acknowledged it. Never throws: every failure is a nack. */
export async function pushMessage(request: PushRequest, stop: AbortSignal): Promise<boolean> {
  const { target, mintIdToken, timeoutMs } = request;
  try {
    const token = target.oidc && mintIdToken ? await mintIdToken(target.oidc) : undefined;
    const response = await fetch(target.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: writeBody(request),
      redirect: 'manual',
      signal: AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]),
    });
    await response.body?.cancel();
    return PUSH_ACK_STATUSES.has(response.status);
  } catch {
    return false;
  }
}
