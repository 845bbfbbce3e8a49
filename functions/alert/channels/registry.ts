// Every kind of channel.
import type { Channel } from '#shared/runbook/schema.ts';
import type { ChannelKind } from './channel.ts';
import { email } from './email/send.ts';
import { jsonl } from './jsonl/send.ts';

const KINDS: { [K in Channel['kind']]: ChannelKind<Extract<Channel, { kind: K }>> } = { email, jsonl };

/** The kind of a channel of the runbook. */
export function kindOf(channel: Channel): ChannelKind {
  return KINDS[channel.kind];
}
