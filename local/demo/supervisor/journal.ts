// What units print, kept as journald exports it (`journalctl --output=json`): one file per unit, and the one before it.
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** A line of a unit's journal, by the names of systemd.journal-fields(7). */
export const JournalRecord = z.object({
  __REALTIME_TIMESTAMP: z.string(),
  PRIORITY: z.string(),
  MESSAGE: z.string(),
  _PID: z.string(),
  _SYSTEMD_UNIT: z.string(),
});
export type JournalRecord = z.infer<typeof JournalRecord>;

export interface Journal {
  /** Adds a line of a unit; `priority` as in syslog(3). */
  write(unit: string, pid: number, message: string, priority?: number): void;
}

const MAX_FILE_BYTES = 8 * 1024 * 1024;
const INFO = 6;

/** Where a unit's journal lies: the older file first. */
export function journalFiles(dir: string, unit: string): [string, string] {
  return [join(dir, `${unit}.1.jsonl`), join(dir, `${unit}.jsonl`)];
}

/** Opens the journals of a host; what an instance of a template prints is kept with its template's. */
export function openJournal(dir: string, clock: () => number): Journal {
  mkdirSync(dir, { recursive: true });
  return {
    write: (unit, pid, message, priority = INFO) => {
      const [older, current] = journalFiles(dir, unit.replace(/@.*\./, '@.'));
      const size = statSync(current, { throwIfNoEntry: false })?.size ?? 0;
      if (size > MAX_FILE_BYTES) renameSync(current, older);
      const record: JournalRecord = {
        __REALTIME_TIMESTAMP: String(Math.round(clock() * 1000)),
        PRIORITY: String(priority),
        MESSAGE: message,
        _PID: String(pid),
        _SYSTEMD_UNIT: unit,
      };
      appendFileSync(current, `${JSON.stringify(record)}\n`, { mode: 0o640 });
    },
  };
}
