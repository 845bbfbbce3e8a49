// Entry point `notify`: each pushed message is one delivery to one recipient.
import type { PushMessage } from '../cloud/push.ts';
import { requestCommand } from '../command/request.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { pushHandler } from '../http/private.ts';
import { deliver } from './deliver.ts';
import { DeliveryMessage } from './outbox.ts';

/** Answers pushes of the topic `alerts`. */
export function handleNotify(deps: Deps): Handler {
  return pushHandler(deps, async (message) => {
    const deliveryId = deliveryIdOf(message);
    // A retry would not help: the message is acknowledged.
    if (deliveryId === undefined) return 'ignored: not a delivery message';
    const channelDeps = {
      config: deps.config,
      clock: deps.clock,
      db: deps.db,
      publisher: deps.publisher,
      requestCommand: (order: Parameters<typeof requestCommand>[1]) => requestCommand(deps, order),
    };
    return await deliver(channelDeps, deliveryId);
  });
}

function deliveryIdOf({ data }: PushMessage): string | undefined {
  return DeliveryMessage.safeParse(parseJsonOrNothing(data)).data?.deliveryId;
}

function parseJsonOrNothing(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    return undefined;
  }
}
