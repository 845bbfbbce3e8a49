// One-time tickets of the live relay, stored as hashes. Each half is valid once, for its own side, until it expires.
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { LiveSide } from '#shared/live/frames.ts';
import { type Queryable, queryRow } from './database.ts';

export interface NewLiveTicket {
  viewerKey: string;
  service: string;
  actor: string;
  createdAt: Date;
  expiresAt: Date;
}

/** The session that a half of a ticket is for; `ticketId` is the same for both halves. */
export const ClaimedTicket = z.lazy(() =>
  z.object({
    ticketId: z.string(),
    service: z.string(),
    actor: z.string(),
    expiresAt: z.date(),
  }),
);
export type ClaimedTicket = z.infer<typeof ClaimedTicket>;

/** SHA-256: the keys have 256 random bits, nothing slower is needed. */
function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Stores a new ticket and deletes tickets that expired long ago. */
export async function insertLiveTicket(db: Queryable, ticket: NewLiveTicket): Promise<void> {
  await db.query(
    `WITH forgotten AS (DELETE FROM live_tickets WHERE expires_at < $4::timestamptz - interval '1 day')
     INSERT INTO live_tickets (viewer_hash, service, actor, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5)`,
    [hashOf(ticket.viewerKey), ticket.service, ticket.actor, ticket.createdAt, ticket.expiresAt],
  );
}

/** A ticket's public id, from which its viewer's half can't be derived. */
export function ticketIdOf(viewerKey: string): string {
  return hashOf(viewerKey).toString('base64url');
}

/** Adds the agent's half to a ticket, as a hash; false when there is no such ticket. Safe to repeat. */
export async function setAgentHalf(db: Queryable, ticketId: string, agentKey: string): Promise<boolean> {
  const { rowCount } = await db.query('UPDATE live_tickets SET agent_hash = $2 WHERE viewer_hash = $1', [
    Buffer.from(ticketId, 'base64url'),
    hashOf(agentKey),
  ]);
  return rowCount > 0;
}

/** Notes which command carries the agent's half. */
export async function linkLiveTicket(
  db: Queryable,
  viewerKey: string,
  command: { id: string; host: string },
): Promise<void> {
  await db.query('UPDATE live_tickets SET command_id = $2, host = $3 WHERE viewer_hash = $1', [
    hashOf(viewerKey),
    command.id,
    command.host,
  ]);
}

/** Deletes a ticket whose command was not allowed. */
export async function deleteLiveTicket(db: Queryable, viewerKey: string): Promise<void> {
  await db.query('DELETE FROM live_tickets WHERE viewer_hash = $1', [hashOf(viewerKey)]);
}

const CLAIM: Record<LiveSide, string> = {
  viewer: claimStatement('viewer'),
  agent: claimStatement('agent'),
};

function claimStatement(side: LiveSide): string {
  return `UPDATE live_tickets SET ${side}_used_at = $2
          WHERE ${side}_hash = $1 AND ${side}_used_at IS NULL AND expires_at > $2
          RETURNING encode(viewer_hash, 'hex') AS "ticketId", service, actor, expires_at AS "expiresAt"`;
}

/** Uses up one half; undefined when it is unknown, used, expired, or the other side's. */
export function claimLiveTicket(
  db: Queryable,
  side: LiveSide,
  key: string,
  now: Date,
): Promise<ClaimedTicket | undefined> {
  return queryRow(db, ClaimedTicket, CLAIM[side], [hashOf(key), now]);
}
