// A real relay on loopback over a real database, and sockets that collect the frames they get.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createRelay, type Relay } from '#functions/live/relay.ts';
import { SESSION_LIMITS, type SessionLimits } from '#functions/live/session.ts';
import { newKey, openLiveTicket } from '#functions/live/ticket.ts';
import { upgradeHandler } from '#functions/live/upgrade.ts';
import { claimLiveTicket, setAgentHalf } from '#functions/store/live-tickets.ts';
import type { LiveTicket } from '#shared/api/views.ts';
import { type KeyUse, offeredProtocols, ToViewerFrame } from '#shared/live/frames.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

export const FOLLOW_COMMAND = '019b1d3c-0000-7000-8000-000000000001';

export interface Harness {
  url: string;
  relay: Relay;
  database: TestDatabase;
  endings: { reason: string; service: string }[];
  /** Moves the relay's clock. */
  advance(ms: number): void;
  /** Breaks the connections of all agents, as a network would. */
  dropAgents(): void;
  /** A ticket, with the agent's half as the command carries it. */
  open(): Promise<{ ticket: LiveTicket; agentKey: string; relayUrl: string }>;
  close(): Promise<void>;
}

/** Starts a relay on `address`. */
export async function startRelay(
  limits: Partial<SessionLimits> = {},
  address = '127.0.0.1',
): Promise<Harness> {
  const database = await createTestDatabase();
  let aheadMs = 0;
  const now = () => new Date(Date.now() + aheadMs);
  const endings: Harness['endings'] = [];
  const relay = createRelay(
    {
      claim: (side, key) => claimLiveTicket(database.db, side, key, now()),
      nowMs: () => now().getTime(),
      onEnded: ({ reason, service }) => endings.push({ reason, service }),
    },
    { ...SESSION_LIMITS, ...limits },
  );
  const onUpgrade = upgradeHandler(relay, (error) => {
    throw error;
  });
  const agentSockets = new Set<Duplex>();
  const server = createServer().on('upgrade', (request, socket, head) => {
    if (request.url?.startsWith('/agent')) agentSockets.add(socket);
    void onUpgrade(request, socket, head);
  });
  const url = await listen(server, address);
  return {
    url,
    relay,
    database,
    endings,
    advance: (ms) => {
      aheadMs += ms;
    },
    dropAgents: () => {
      for (const socket of agentSockets) socket.destroy();
    },
    open: () => openTicket(database, url, now),
    async close() {
      relay.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await database.drop();
    },
  };
}

async function listen(server: Server, address: string): Promise<string> {
  server.listen(0, address);
  await once(server, 'listening');
  return `ws://${address}:${(server.address() as AddressInfo).port}`;
}

export async function openTicket(
  database: TestDatabase,
  liveUrl: string,
  now: () => Date = () => new Date(),
): Promise<{ ticket: LiveTicket; agentKey: string; relayUrl: string }> {
  let sent: Record<string, unknown> = {};
  const requestFollow = (params: Record<string, unknown>) => {
    sent = params;
    return Promise.resolve({ id: FOLLOW_COMMAND, host: 'vm-1' });
  };
  const ticket = await openLiveTicket(
    { db: database.db, now, liveUrl, requestFollow },
    { service: 'web', lines: 10 },
    { kind: 'token', name: 'ada', role: 'viewer' },
  );
  const agentKey = newKey();
  // As `sign` does it for the command.
  await setAgentHalf(database.db, String(sent['ticket']), agentKey);
  return { ticket, agentKey, relayUrl: String(sent['relayUrl']) };
}

export interface Peer {
  socket: WebSocket;
  frames: ToViewerFrame[];
  /** Resolves with the first frame (past or to come) that fits. */
  waitFor<T extends ToViewerFrame['type']>(
    type: T,
    fits?: (frame: Extract<ToViewerFrame, { type: T }>) => boolean,
  ): Promise<Extract<ToViewerFrame, { type: T }>>;
  closed: Promise<number>;
  send(frame: object): void;
  /** Messages of all lines so far. */
  messages(): string[];
}

export async function connect(url: string, key: string, use: KeyUse = 'ticket'): Promise<Peer> {
  const socket = new WebSocket(url, offeredProtocols(use, key));
  const frames: ToViewerFrame[] = [];
  socket.on('message', (data: Buffer) => frames.push(ToViewerFrame.parse(JSON.parse(data.toString('utf8')))));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const status = await new Promise<number>((resolve, reject) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  if (status !== 101) throw new Refused(status);
  return {
    socket,
    frames,
    closed,
    send: (frame) => socket.send(JSON.stringify(frame)),
    messages: () =>
      frames.flatMap((frame) => (frame.type === 'lines' ? frame.lines.map((l) => l.message) : [])),
    waitFor: (type, fits = () => true) => waitForFrame(frames, type, fits),
  };
}

export class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

async function waitForFrame<T extends ToViewerFrame['type']>(
  frames: ToViewerFrame[],
  type: T,
  fits: (frame: Extract<ToViewerFrame, { type: T }>) => boolean,
): Promise<Extract<ToViewerFrame, { type: T }>> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(5)) {
    const found = frames.find(
      (frame): frame is Extract<ToViewerFrame, { type: T }> =>
        frame.type === type && fits(frame as Extract<ToViewerFrame, { type: T }>),
    );
    if (found) return found;
  }
  throw new Error(`no ${type} frame came; there are ${JSON.stringify(frames).slice(0, 500)}`);
}

export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(5)) if (isSo()) return;
  throw new Error(`did not come true: ${what}`);
}

export function line(message: string) {
  return { at: '2026-11-23T08:00:00.000Z', priority: 6, message };
}
