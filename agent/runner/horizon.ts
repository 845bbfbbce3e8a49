// How far back the runner's records reach. A record is the guard against replay: before one is removed, its command's issue
// time is noted, and no command issued up to then is ever taken again, whatever the clock says.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '#shared/kit/durable-file.ts';

const Horizon = z.strictObject({ issuedMs: z.int().nonnegative() });
const FILE_MODE = 0o640;

function fileIn(runsDir: string): string {
  return join(runsDir, '.horizon.json');
}

/** The newest issue time of a command whose record was removed, in milliseconds; 0 when none was. */
export function readHorizon(runsDir: string): number {
  const file = fileIn(runsDir);
  return existsSync(file) ? Horizon.parse(JSON.parse(readFileSync(file, 'utf8'))).issuedMs : 0;
}

/** Notes, on the disk when this returns, that records of commands issued up to this time are about to go. */
export function raiseHorizon(runsDir: string, issuedMs: number): void {
  if (issuedMs <= readHorizon(runsDir)) return;
  const content: z.infer<typeof Horizon> = { issuedMs };
  writeDurably(fileIn(runsDir), JSON.stringify(content), FILE_MODE);
}
