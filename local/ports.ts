// TCP ports for programs that must be told theirs before they start. A port is held by a listening socket until the
// program takes it over, so that no two draws give the same one.
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { LamplighterError } from '#shared/errors.ts';

/** A port that nobody else can draw or listen on until `release`. */
export interface HeldPort {
  address: string;
  port: number;
  /** Gives the port free for the program that it was drawn for; call it right before that program starts. */
  release(): Promise<void>;
}

// Below the ports that systems give to outgoing connections by themselves (Linux from 32768, macOS from 49152): any
// connection could take such a port between its release and the program's start.
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_767;
const MAX_DRAWS = 200;

/** Ports that this process drew: a program that starts again finds its port free. */
const drawn = new Set<number>();

/** Holds `preferred` when it is free, else a port that is drawn. Throws `unavailable` when none is free. */
export async function holdPort(address: string, preferred = 0): Promise<HeldPort> {
  const server = (preferred > 0 ? await listen(address, preferred) : undefined) ?? (await draw(address));
  return {
    address,
    port: server.port,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A port that is free on this address now; `preferred` when it is free. */
export async function findFreePort(address: string, preferred = 0): Promise<number> {
  const held = await holdPort(address, preferred);
  await held.release();
  return held.port;
}

interface Listener {
  port: number;
  close: Server['close'];
}

async function draw(address: string): Promise<Listener> {
  for (let attempt = 0; attempt < MAX_DRAWS; attempt++) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
    if (drawn.has(port)) continue;
    const listener = await listen(address, port);
    if (!listener) continue;
    drawn.add(port);
    return listener;
  }
  throw new LamplighterError(
    'unavailable',
    `draw a port on ${address}: none of ${MAX_DRAWS} between ${LOWEST_PORT} and ${HIGHEST_PORT} was free`,
  );
}

function listen(address: string, port: number): Promise<Listener | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ host: address, port, exclusive: true }, () => {
      server.unref();
      resolve({ port, close: server.close.bind(server) });
    });
  });
}
