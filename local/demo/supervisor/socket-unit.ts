// A socket unit with Accept=yes: each connection becomes the stdin of an instance of its own.
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';

export interface ListeningSocket {
  close(): void;
}

const SOCKET_MODE = 0o660;

export interface SocketOptions {
  maxConnections: number;
  /** Who may connect; undefined: the supervisor's own account. */
  account: { uid: number; gid: number } | undefined;
  /** Gets a number of its own for each connection, and owns it. */
  onConnection(count: number, socket: Socket): void;
}

/** Listens on a path. */
export async function listenOn(
  path: string,
  { maxConnections, account, onConnection }: SocketOptions,
): Promise<ListeningSocket> {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  let count = 0;
  // Paused: the instance reads the connection's bytes, not the supervisor.
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => onConnection(count++, socket));
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, SOCKET_MODE);
  if (account) chownSync(path, account.uid, account.gid);
  return {
    close: () => {
      server.close();
      rmSync(path, { force: true });
    },
  };
}
