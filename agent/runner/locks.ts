// Names that no two commands hold at once on this host. In SQLite, so that taking several is one transaction, whole or
// not at all, whoever is killed when.
import { DatabaseSync } from 'node:sqlite';
import * as z from 'zod';

const Row = z.object({ name: z.string(), command_id: z.string() });

export interface Locks {
  /** Takes all of `names` for a command, or none: then the command that has one. Taking one's own again is fine. */
  acquire(
    names: readonly string[],
    commandId: string,
  ): { acquired: true } | { acquired: false; name: string; holder: string };
  release(commandId: string): void;
  close(): void;
}

/** Opens the lock file; `isOver` tells of a holder whether its run has ended, so that a lost release can't block for ever. */
export function openLocks(file: string, isOver: (commandId: string) => boolean): Locks {
  const db = new DatabaseSync(file, { timeout: 5000 });
  db.exec(
    'PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS locks (name TEXT PRIMARY KEY, command_id TEXT NOT NULL)',
  );
  const find = db.prepare('SELECT name, command_id FROM locks WHERE name = ?');
  const put = db.prepare('INSERT OR REPLACE INTO locks (name, command_id) VALUES (?, ?)');
  const drop = db.prepare('DELETE FROM locks WHERE command_id = ?');
  const takeAll = (names: readonly string[], commandId: string): ReturnType<Locks['acquire']> => {
    for (const name of names) {
      const row = Row.optional().parse(find.get(name));
      if (row && row.command_id !== commandId && !isOver(row.command_id)) {
        return { acquired: false, name, holder: row.command_id };
      }
    }
    for (const name of names) put.run(name, commandId);
    return { acquired: true };
  };
  return {
    acquire: (names, commandId) => {
      db.exec('BEGIN IMMEDIATE');
      try {
        const outcome = takeAll(names, commandId);
        db.exec('COMMIT');
        return outcome;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    release: (commandId) => {
      drop.run(commandId);
    },
    close: () => db.close(),
  };
}
