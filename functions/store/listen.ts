// Wakes those who wait for a command, by PostgreSQL's LISTEN on one connection. Only a shortcut: whoever waits also
// looks by himself now and then, so a lost connection costs a moment and nothing else.
import type { Client } from 'pg';
import { COMMAND_CHANNEL } from './commands.ts';
import type { Database } from './database.ts';

/** Hears of one command from the moment it was made. */
export interface CommandWatch {
  /** Resolves when the command changed since the last call, after `timeoutMs`, or when `signal` is aborted. */
  next(timeoutMs: number, signal: AbortSignal): Promise<void>;
  stop(): void;
}

export interface CommandListener {
  watch(id: string): CommandWatch;
  close(): Promise<void>;
}

interface Ear {
  isRung: boolean;
  ring(): void;
}

const RECONNECT_DELAY_MS = 1000;

/** A listener that connects when the first one waits. */
export function createCommandListener(db: Pick<Database, 'dedicatedClient'>): CommandListener {
  const ears = new Map<string, Set<Ear>>();
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
      for (const ear of ears.get(payload ?? '') ?? []) ear.ring();
    });
    fresh.on('error', () => forget(fresh));
    fresh.on('end', () => forget(fresh));
    fresh
      .connect()
      .then(() => fresh.query(`LISTEN ${COMMAND_CHANNEL}`))
      .catch(() => {
        forget(fresh);
        fresh.end().catch(() => undefined);
      });
  }

  return {
    watch: (id) => {
      connect();
      const ear: Ear = { isRung: false, ring: () => undefined };
      ear.ring = () => {
        ear.isRung = true;
      };
      const group = ears.get(id) ?? new Set();
      ears.set(id, group.add(ear));
      return {
        next: (timeoutMs, signal) => waitForRing(ear, timeoutMs, signal),
        stop: () => {
          group.delete(ear);
          if (group.size === 0 && ears.get(id) === group) ears.delete(id);
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

async function waitForRing(ear: Ear, timeoutMs: number, signal: AbortSignal): Promise<void> {
  if (!ear.isRung && !signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, timeoutMs);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
      ear.ring = () => {
        ear.isRung = true;
        done();
      };
    });
  }
  ear.isRung = false;
}
