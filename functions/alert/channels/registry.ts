// Sends to a channel, whatever kind it is.
import type { Channel } from '#shared/runbook/schema.ts';
import type { Dispatch, SendOutcome } from './channel.ts';
import { type EmailDeps, sendEmail } from './email/send.ts';
import { type RequestCommand, sendLine } from './jsonl/send.ts';

export interface ChannelDeps extends EmailDeps {
  requestCommand: RequestCommand;
}

/** Sends one event to one recipient of a channel. Throws what may work later. */
export async function sendToChannel(
  deps: ChannelDeps,
  channel: Channel,
  dispatch: Dispatch,
): Promise<SendOutcome> {
  switch (channel.kind) {
    case 'email':
      return await sendEmail(deps, channel, dispatch);
    case 'jsonl':
      return await sendLine(deps.requestCommand, dispatch.delivery.channel, dispatch);
  }
}
