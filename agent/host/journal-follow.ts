// `journalctl -f` as a stream of parsed lines; the only place that starts it. Whoever follows must stop it.
import { z } from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { onLines } from '#shared/lines.ts';
import { LogLine } from '#shared/operations/service.ts';
import { PATHS } from '../config/paths.ts';
import { startProgram } from './process.ts';

export interface JournalFollow {
  unit: string;
  /** Lines of before to begin with. */
  lines: number;
  onLine(line: LogLine): void;
  /** journalctl ended by itself; `detail` is what it said. Not called after `stop`. */
  onEnd(detail: string): void;
}

export interface FollowedJournal {
  /** Ends journalctl and resolves when the process is gone. */
  stop(): Promise<void>;
}

const KILL_AFTER_MS = 2000;
const MAX_COMPLAINT_LENGTH = 500;
/** A longer line of JSON is not parsed: one entry could be hundreds of megabytes. */
const MAX_ENTRY_LENGTH = 1_000_000;

// systemd.journal-fields(7); a message that is not UTF-8 is an array of bytes, one too large is null (`--all` not given).
const JournalEntry = z.object({
  __REALTIME_TIMESTAMP: z.string().regex(/^\d{1,17}$/),
  PRIORITY: z
    .string()
    .regex(/^[0-7]$/)
    .catch('6'),
  MESSAGE: z.union([z.string(), z.array(z.int().min(0).max(255)), z.null()]).catch(null),
});

/** Arguments of journalctl; `unit` has been checked against the policy and never begins with `-`. */
export function journalFollowArgs(unit: string, lines: number): string[] {
  return ['--follow', '--output=json', `--unit=${unit}`, `--lines=${lines}`, '--no-pager', '--quiet'];
}

/** A line of `--output=json` as a log line; undefined when it is none. */
export function parseJournalEntry(text: string): LogLine | undefined {
  if (text.length > MAX_ENTRY_LENGTH) return undefined;
  try {
    const entry = JournalEntry.safeParse(JSON.parse(text));
    if (!entry.success) return undefined;
    const { __REALTIME_TIMESTAMP: micros, PRIORITY: priority, MESSAGE: message } = entry.data;
    return LogLine.parse({
      at: new Date(Number(micros) / 1000).toISOString(),
      priority: Number(priority),
      message: messageText(message),
    });
  } catch {
    return undefined;
  }
}

function messageText(message: string | number[] | null): string {
  if (message === null) return '[a message too large or unreadable]';
  return typeof message === 'string' ? message : Buffer.from(message).toString('utf8');
}

/** Starts following. */
export function followJournal(follow: JournalFollow): FollowedJournal {
  const args = journalFollowArgs(follow.unit, follow.lines);
  const child = startProgram({ file: PATHS.journalctl, args }, ['ignore', 'pipe', 'pipe']);
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new LamplighterError('internal', 'follow journal: no pipe to journalctl');
  let isStopped = false;
  let complaint = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, MAX_COMPLAINT_LENGTH);
  });
  onLines(stdout, (text) => {
    const line = isStopped ? undefined : parseJournalEntry(text);
    if (line) follow.onLine(line);
  });
  const ended = new Promise<void>((resolve) => {
    const end = (detail: string): void => {
      resolve();
      if (!isStopped) follow.onEnd(complaint.trim() || detail);
      isStopped = true;
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => end(`journalctl ended (${signal ?? `exit code ${code}`})`));
  });
  return {
    async stop() {
      isStopped = true;
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await ended;
      clearTimeout(kill);
    },
  };
}
