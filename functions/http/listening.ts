// Finds the HTTP server of the functions framework, which gives a function requests but not its server. The front door and
// the handler of WebSocket upgrades must be installed before the first request. This module imports nothing heavy, since it
// must be loaded before the framework starts to listen.
import { subscribe } from 'node:diagnostics_channel';
import { Server } from 'node:http';

/** Node's tracing channel of `net.Server.listen` (documented as experimental; a test holds it). */
const LISTEN_CHANNEL = 'tracing:net.server.listen:asyncStart';

/** Calls `take` with every HTTP server of this process that starts to listen from now on. */
export function onListening(take: (server: Server) => void): void {
  subscribe(LISTEN_CHANNEL, (message) => {
    if (typeof message !== 'object' || message === null || !('server' in message)) return;
    const { server } = message;
    if (server instanceof Server) take(server);
  });
}
