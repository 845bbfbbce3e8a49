// Answers an HTTP upgrade request: with a seat in a session, or with a refusal.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { messageOf } from '#shared/errors.ts';
import { findKey, LIVE_PROTOCOL, type LiveSide, MAX_FRAME_BYTES } from '#shared/live/frames.ts';
import type { Relay, RelayAnswer } from './relay.ts';

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

const STATUS_TEXT: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  410: 'Gone',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** How long a refused client may take to read the refusal. */
const REFUSAL_TIMEOUT_MS = 2000;

/** Which clients may try to join, decided before the database is queried. */
export interface UpgradeGate {
  isOpenTo(request: IncomingMessage): boolean;
  /** Called for a client without a valid ticket. */
  onDenied(request: IncomingMessage, reason: string): void;
}

const NO_GATE: UpgradeGate = { isOpenTo: () => true, onDenied: () => undefined };

/** Answers upgrade requests for `…/viewer` and `…/agent`. `onError` gets the relay's own errors. */
export function upgradeHandler(
  relay: Relay,
  onError: (error: unknown) => void,
  gate: UpgradeGate = NO_GATE,
): UpgradeHandler {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: () => LIVE_PROTOCOL,
  });
  return async (request, socket, head) => {
    // Until ws takes the socket over, nothing else listens for its errors.
    const ignore = (): undefined => undefined;
    socket.on('error', ignore);
    if (!gate.isOpenTo(request)) {
      refuse(socket, 429);
      return;
    }
    const answer = await decide(relay, request).catch((error: unknown) => {
      onError(error);
      return { admitted: false as const, status: 503, reason: messageOf(error) };
    });
    if (!answer.admitted) {
      if (answer.status === 401) gate.onDenied(request, answer.reason);
      refuse(socket, answer.status);
      return;
    }
    socket.off('error', ignore);
    server.handleUpgrade(request, socket, head, (live) => answer.join(live, nextOf(request)));
  };
}

type Decision = RelayAnswer | { admitted: false; status: number; reason: string };

async function decide(relay: Relay, request: IncomingMessage): Promise<Decision> {
  const side = sideOf(request);
  if (!side) return { admitted: false, status: 404, reason: 'no such path' };
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
  if (!offered.includes(LIVE_PROTOCOL)) return { admitted: false, status: 400, reason: 'another protocol' };
  const found = findKey(offered);
  if (!found) return { admitted: false, status: 401, reason: 'no ticket' };
  return relay.admit(side, found.use, found.key);
}

function urlOf(request: IncomingMessage): URL | null {
  return URL.parse(request.url ?? '/', 'http://relay');
}

function sideOf(request: IncomingMessage): LiveSide | undefined {
  const last = urlOf(request)?.pathname.split('/').at(-1);
  return last === 'viewer' || last === 'agent' ? last : undefined;
}

function nextOf(request: IncomingMessage): number | undefined {
  const next = Number(urlOf(request)?.searchParams.get('next') ?? Number.NaN);
  return Number.isSafeInteger(next) && next > 0 ? next : undefined;
}

/**
 * Every refusal has only a status, so that a stranger learns nothing more. The socket is destroyed even if the client never
 * closes its half or never reads ours.
 */
function refuse(socket: Duplex, status: number): void {
  const timer = setTimeout(() => socket.destroy(), REFUSAL_TIMEOUT_MS);
  socket.once('finish', () => socket.destroy());
  socket.once('close', () => clearTimeout(timer));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Error'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
}
