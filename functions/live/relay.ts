// All live sessions of this instance. A side joins with its half of a ticket and rejoins with its resume key.
import { createHash } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { KeyUse, LiveSide } from '#shared/live/frames.ts';
import { MAX_LIVE_SESSIONS } from '#shared/topology.ts';
import type { ClaimedTicket } from '../store/live-tickets.ts';
import { LiveSession, SESSION_LIMITS, type SessionLimits } from './session.ts';
import { newKey } from './ticket.ts';

export interface RelayDeps {
  /** Uses up a half of a ticket; undefined when the half is not valid for this side now. */
  claim(side: LiveSide, key: string): Promise<ClaimedTicket | undefined>;
  nowMs(): number;
  onEnded(facts: {
    ticketId: string;
    service: string;
    actor: string;
    reason: string;
    durationMs: number;
  }): void;
}

/** Whether a side may join; if not, the HTTP status that says why. */
export type RelayAnswer =
  | { admitted: true; join(socket: WebSocket, next?: number): void }
  | { admitted: false; status: 401 | 410 | 503; reason: string };

export interface Relay {
  admit(side: LiveSide, use: KeyUse, key: string): Promise<RelayAnswer>;
  sessionCount(): number;
  close(): void;
}

interface Held {
  session: LiveSession;
  resumeKeys: Record<LiveSide, string>;
}

/** Opens the relay of this process. */
export function createRelay(deps: RelayDeps, limits: SessionLimits = SESSION_LIMITS): Relay {
  const sessions = new Map<string, Held>();
  const resumable = new Map<string, { side: LiveSide; session: LiveSession }>();

  function open(ticket: ClaimedTicket): Held {
    const startedAtMs = deps.nowMs();
    const resumeKeys = { viewer: newKey(), agent: newKey() };
    const session = new LiveSession({
      limits,
      resumeKeys,
      pairWithinMs: Math.max(1000, ticket.expiresAt.getTime() - startedAtMs),
      onEnded: (reason) => {
        sessions.delete(ticket.ticketId);
        for (const key of [resumeKeys.viewer, resumeKeys.agent]) resumable.delete(digestOf(key));
        const { ticketId, service, actor } = ticket;
        deps.onEnded({ ticketId, service, actor, reason, durationMs: deps.nowMs() - startedAtMs });
      },
    });
    const held = { session, resumeKeys };
    sessions.set(ticket.ticketId, held);
    for (const side of ['viewer', 'agent'] as const) {
      resumable.set(digestOf(resumeKeys[side]), { side, session });
    }
    return held;
  }

  async function admitTicket(side: LiveSide, key: string): Promise<RelayAnswer> {
    const ticket = await deps.claim(side, key);
    if (!ticket) return { admitted: false, status: 401, reason: 'the ticket does not open this side' };
    const held = sessions.get(ticket.ticketId);
    if (!held && sessions.size >= MAX_LIVE_SESSIONS) return { admitted: false, status: 503, reason: 'full' };
    const { session } = held ?? open(ticket);
    return { admitted: true, join: (socket) => session.join(side, socket) };
  }

  function admitReturn(side: LiveSide, key: string): RelayAnswer {
    const found = resumable.get(digestOf(key));
    if (found?.side !== side)
      return { admitted: false, status: 410, reason: 'there is no such session here' };
    return { admitted: true, join: (socket, next) => found.session.join(side, socket, next) };
  }

  return {
    admit: async (side, use, key) => (use === 'ticket' ? admitTicket(side, key) : admitReturn(side, key)),
    sessionCount: () => sessions.size,
    close: () => {
      for (const { session } of sessions.values()) session.end('time-limit', 'the relay stops');
    },
  };
}

/** Keys are looked up by digest, so that the time of a lookup reveals nothing about the key. */
function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
