// The mark of a local backup that the bucket does not have: written before the backup counts, taken away when everything is
// uploaded. It also says how often the upload has failed, so that a bucket that can't be reached is tried more and more rarely.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '#shared/kit/durable-file.ts';

const MARK_FILE = 'not-uploaded';
const FILE_MODE = 0o600;
const FIRST_PAUSE_MS = 10 * 60_000;
const LONGEST_PAUSE_MS = 6 * 3_600_000;

const Mark = z.object({ failures: z.int().nonnegative(), failedAtMs: z.number() });
type Mark = z.infer<typeof Mark>;

const FRESH: Mark = { failures: 0, failedAtMs: 0 };

function fileIn(dir: string): string {
  return join(dir, MARK_FILE);
}

function write(dir: string, mark: Mark): void {
  writeDurably(fileIn(dir), JSON.stringify(mark), FILE_MODE);
}

/** Marks the backup in a folder as not uploaded. */
export function markNotUploaded(dir: string): void {
  write(dir, FRESH);
}

/** True while the bucket does not have all of the backup in a folder. */
export function isNotUploaded(dir: string): boolean {
  return existsSync(fileIn(dir));
}

/** Removes the mark: the bucket has the whole backup. Calling it twice does no harm. */
export function clearMark(dir: string): void {
  rmSync(fileIn(dir), { force: true });
}

/** What the mark says; a mark that can't be read counts as no attempt. */
function readMark(dir: string): Mark {
  try {
    return Mark.parse(JSON.parse(readFileSync(fileIn(dir), 'utf8')));
  } catch {
    return FRESH;
  }
}

/**
 * Counts a failed upload, unless the backup is uploaded meanwhile. Never throws: the failure of the upload must be reported.
 */
export function countFailure(dir: string, nowMs: number): void {
  if (!isNotUploaded(dir)) return;
  try {
    write(dir, { failures: readMark(dir).failures + 1, failedAtMs: nowMs });
  } catch {
    // The disk may be full: then the upload is only tried again sooner than necessary.
  }
}

/** When the upload is tried again after it failed so often: ten minutes, then twice as long each time, at most six hours. */
export function retryPauseMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
}

/** True when the upload may be tried. A failure in the future means that the clock was set back: it delays nothing. */
export function isUploadDue(dir: string, nowMs: number): boolean {
  const { failures, failedAtMs } = readMark(dir);
  return failedAtMs > nowMs || nowMs - failedAtMs >= retryPauseMs(failures);
}
