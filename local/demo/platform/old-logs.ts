// Logs such as a few months of work leave in /opt/app/logs: what a clean-up by age has something to find in.
import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DAY_MS = 24 * 3600 * 1000;
const AGES_DAYS = [1, 3, 6, 8, 12, 20, 45];
const LINES = 4000;

/** Writes one log for each age, once: a directory that has logs is left as it is. */
export function writeOldLogs(dir: string, nowMs: number): void {
  if (readdirSync(dir).some((name) => name.endsWith('.log'))) return;
  for (const days of AGES_DAYS) {
    const at = new Date(nowMs - days * DAY_MS);
    const day = at.toISOString().slice(0, 10);
    const file = join(dir, `etl-${day}.log`);
    const lines = Array.from(
      { length: LINES },
      (_, i) => `${day} lot ${i}: ${(i * 7919) % 240} rows taken in\n`,
    );
    writeFileSync(file, lines.join(''));
    utimesSync(file, at, at);
  }
}
