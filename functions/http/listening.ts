// The server under the functions framework. It gives a function requests, not its server; what must be there before the
// first request (an upgrade is handed only to a server that somebody listens on) hears of the server when it listens.
// Imports nothing heavy: it must be there before the framework starts to listen.
import { subscribe } from 'node:diagnostics_channel';
import { Server } from 'node:http';

/** Node's tracing channel of `net.Server.listen` (documented as experimental; a test holds it). */
const LISTEN_CHANNEL = 'tracing:net.server.listen:asyncStart';

/** Calls `take` with every HTTP server of this process that begins to listen from now on. */
export function onListening(take: (server: Server) => void): void {
  subscribe(LISTEN_CHANNEL, (message) => {
    if (typeof message !== 'object' || message === null || !('server' in message)) return;
    const { server } = message;
    if (server instanceof Server) take(server);
  });
}
