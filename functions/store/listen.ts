// Wakes requests that wait for a command, with PostgreSQL's LISTEN on one connection. A lost connection only costs time, since
// a waiting request also reads the command now and then.
import type { Client } from 'pg';
import { type Bell, createBell } from '#shared/kit/bell.ts';
import { COMMAND_NOTIFICATION } from './commands.ts';
import type { Database } from './database.ts';

/** Notices changes of one command from its creation on. */
export interface CommandWatch {
  /** Resolves when the command changed since the last call, after `timeoutMs`, or when `signal` is aborted. */
  next(timeoutMs: number, signal: AbortSignal): Promise<void>;
  stop(): void;
}

export interface CommandListener {
  watch(id: string): CommandWatch;
  close(): Promise<void>;
}

const RECONNECT_DELAY_MS = 1000;

/** A listener that connects when the first request starts to wait. */
export function createCommandListener(db: Pick<Database, 'dedicatedClient'>): CommandListener {
  const bells = new Map<string, Set<Bell>>();
  let client: Client | undefined;
  let retryAtMs = 0;

  function forget(broken: Client): void {
    if (client !== broken) return;
    client = undefined;
    retryAtMs = performance.now() + RECONNECT_DELAY_MS;
  }

  function connect(): void {
    if (client || performance.now() < retryAtMs) return;
    const fresh = db.dedicatedClient();
    client = fresh;
    fresh.on('notification', ({ payload }) => {
      for (const bell of bells.get(payload ?? '') ?? []) bell.ring();
    });
    fresh.on('error', () => forget(fresh));
    fresh.on('end', () => forget(fresh));
    fresh
      .connect()
      .then(() => fresh.query(`LISTEN ${COMMAND_NOTIFICATION}`))
      .catch(() => {
        forget(fresh);
        fresh.end().catch(() => undefined);
      });
  }

  return {
    watch: (id) => {
      connect();
      const bell = createBell();
      const group = bells.get(id) ?? new Set();
      bells.set(id, group.add(bell));
      return {
        next: (timeoutMs, signal) => bell.wait(signal, timeoutMs),
        stop: () => {
          group.delete(bell);
          if (group.size === 0 && bells.get(id) === group) bells.delete(id);
        },
      };
    },
    close: async () => {
      const open = client;
      client = undefined;
      retryAtMs = Number.POSITIVE_INFINITY;
      await open?.end();
    },
  };
}
