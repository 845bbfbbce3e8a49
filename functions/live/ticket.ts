// Opens a live stream: a ticket of two halves. The viewer gets one; the other is made when the command to the agent is signed
// (agent-half.ts).
import { randomBytes } from 'node:crypto';
import type { LiveTicket } from '#shared/api/views.ts';
import type { Actor } from '#shared/command/envelope.ts';
import type { LiveRequest } from '#shared/live/frames.ts';
import { CommandId } from '#shared/names.ts';
import type { Queryable } from '../store/database.ts';
import { deleteLiveTicket, insertLiveTicket, linkLiveTicket, ticketIdOf } from '../store/live-tickets.ts';

/** How long an unused ticket is valid. */
export const TICKET_LIFETIME_MS = 60_000;

export interface TicketDeps {
  db: Queryable;
  now(): Date;
  /** Base address of the relay, `ws://` or `wss://`. */
  liveUrl: string;
  /** Requests `service.follow` as the actor; throws when the role or the runbook does not allow it. */
  requestFollow(params: Record<string, unknown>, actor: Actor): Promise<{ id: string; host: string }>;
}

/** Makes a ticket and the command that makes the agent connect to the relay. */
export async function openLiveTicket(
  deps: TicketDeps,
  { service, lines }: LiveRequest,
  actor: Actor,
): Promise<LiveTicket> {
  const viewerKey = newKey();
  const createdAt = deps.now();
  const expiresAt = new Date(createdAt.getTime() + TICKET_LIFETIME_MS);
  const base = deps.liveUrl.replace(/\/+$/, '');
  await insertLiveTicket(deps.db, { viewerKey, service, actor: actor.name, createdAt, expiresAt });
  try {
    const relayUrl = `${base}/agent`;
    const command = await deps.requestFollow(
      { service, lines, ticket: ticketIdOf(viewerKey), relayUrl },
      actor,
    );
    await linkLiveTicket(deps.db, viewerKey, command);
    return {
      ticket: viewerKey,
      url: `${base}/viewer`,
      commandId: CommandId.parse(command.id),
      expiresAt: expiresAt.toISOString(),
    };
  } catch (error) {
    await deleteLiveTicket(deps.db, viewerKey);
    throw error;
  }
}

/** 256 random bits in base64url. */
export function newKey(): string {
  return randomBytes(32).toString('base64url');
}
