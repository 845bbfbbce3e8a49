// Upgrades under the functions framework. It gives a function requests, not its server, and Node hands an upgrade to a
// server only when somebody listens for upgrades before the request comes. So: hear of the server when it listens.
// Imports nothing heavy: it must be there before the framework starts to listen.
import { subscribe } from 'node:diagnostics_channel';
import { type IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

export type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Node's tracing channel of `net.Server.listen` (documented as experimental; a test holds it). */
const LISTEN_CHANNEL = 'tracing:net.server.listen:asyncStart';

/** Attaches `onUpgrade` to every HTTP server of this process that begins to listen from now on. */
export function captureUpgrades(onUpgrade: OnUpgrade): void {
  subscribe(LISTEN_CHANNEL, (message) => {
    if (typeof message !== 'object' || message === null || !('server' in message)) return;
    const { server } = message;
    if (server instanceof Server) server.on('upgrade', onUpgrade);
  });
}
