// What to say of a command that its host has not taken: a host that is silent is told of at once.
import type { CommandView, HostContact } from '#shared/api/views.ts';
import { escapeForTerminal } from './escape.ts';
import { formatClock, formatSpan, formatTime } from './quantity.ts';

const DAY_MS = 86_400_000;

/** Why the command waits and until when; undefined while nothing stands in its way. */
export function describeSilence(
  { host, state, expiresAt }: Pick<CommandView, 'host' | 'state' | 'expiresAt'>,
  contact: HostContact | null,
): string | undefined {
  if (!contact) return undefined;
  const isLater = Date.parse(expiresAt) - Date.parse(contact.at) > DAY_MS / 2;
  const until = `the command waits until ${isLater ? formatClock(expiresAt) : formatTime(expiresAt)} and then expires`;
  if (!contact.online) return `${escapeForTerminal(host)} was ${describeContact(contact)}; ${until}`;
  return state === 'requested' ? `it could not be signed yet; ${until}` : undefined;
}

/** `last heard of 4 min ago`. */
export function describeContact({ at, lastHeardAt }: HostContact): string {
  if (lastHeardAt === null) return 'never heard of';
  return `last heard of ${formatSpan(Date.parse(at) - Date.parse(lastHeardAt))} ago`;
}
