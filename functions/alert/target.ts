// Who gets an alert. Each recipient of each channel has a delivery, retries and an end of its own. Pure.
import type { Channel, Runbook } from '#shared/runbook/schema.ts';
import type { AlertLevel } from '#shared/severity.ts';
import { kindOf } from './channels/registry.ts';

/** One recipient of one channel. */
export interface Target {
  channel: string;
  /** A mail address; empty for a channel that has only itself. */
  recipient: string;
  minLevel: AlertLevel;
  isLog: boolean;
}

function targetsOf([name, channel]: [string, Channel]): Target[] {
  const { minLevel } = channel;
  const kind = kindOf(channel);
  const { isLog } = kind;
  return kind.recipientsOf(channel).map((recipient) => ({ channel: name, recipient, minLevel, isLog }));
}

/** Every recipient of every channel, in the runbook's order. */
export function allTargets(runbook: Runbook): Target[] {
  return Object.entries(runbook.channels).flatMap(targetsOf);
}

/** True when both are the same recipient of the same channel. */
export function isSameTarget(
  a: Pick<Target, 'channel' | 'recipient'>,
  b: Pick<Target, 'channel' | 'recipient'>,
): boolean {
  return a.channel === b.channel && a.recipient === b.recipient;
}

/** The recipient's name in texts: `on-call@example.com (channel on-call)`. */
export function nameOf({ channel, recipient }: Pick<Target, 'channel' | 'recipient'>): string {
  return recipient === '' ? `channel ${channel}` : `${recipient} (channel ${channel})`;
}
