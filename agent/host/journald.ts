// journalctl: the entries of a unit's journal, to the newest or as they come. Only processes of root's run it.
import { readFileSync } from 'node:fs';
import { LamplighterError } from '#shared/errors.ts';
import { createLineSplitter } from '#shared/lines.ts';
import { LOG_PRIORITIES, type LogLine, MAX_SEARCHED } from '#shared/operations/logs.ts';
import { onHost, PATHS } from '../config/paths.ts';
import { awaitEnd, killOnAbort, mustHaveEndedWell } from './joined.ts';
import {
  cutMessage,
  describeTooLong,
  ENTRY_FIELDS,
  type JournalEntry,
  parseJournalEntry,
} from './journal-entry.ts';
import { startProgram } from './process.ts';
import { redactLines } from './redact.ts';

const READ_TIMEOUT_MS = 20_000;
/**
 * An entry may be hundreds of megabytes; one of bytes takes four characters for each. It is looked through as it reads without
 * escapes, in up to nineteen ways at once, and a reader has 256 MB.
 */
const MAX_ENTRY_BYTES = 256 * 1024;
/** Entries held at once while reading: the newest. */
const MAX_HELD_CHARACTERS = 8 * 1024 * 1024;
/** As long as an entry of a failed command's output may be. */
const MAX_OUTPUT_LENGTH = 4000;

export interface JournalQuery {
  unit: string;
  lines: number;
  /** RFC 3339. */
  since?: string | undefined;
  until?: string | undefined;
  /** This one or a worse one. */
  priority?: (typeof LOG_PRIORITIES)[number] | undefined;
  /** Only lines that have this text, whatever the case, once they are redacted. */
  grep?: string | undefined;
  /** Goes on with what comes. */
  isFollowed?: boolean;
}

/**
 * Arguments of journalctl; the unit has been checked against the policy and never begins with `-`.
 *
 * Followed, journalctl shows one boot alone, by the boot id in its own /proc; a host in namespaces has another in its journal.
 * `--merge` takes all boots, and journals of other machines, which the match leaves out.
 */
export function journalArguments(
  { unit, lines, since, until, priority, grep, isFollowed }: JournalQuery,
  machineId: string,
): string[] {
  const at = (time: string): string => `@${(Date.parse(time) / 1000).toFixed(3)}`;
  return [
    `--unit=${unit}`,
    `--lines=${grep === undefined ? lines : MAX_SEARCHED}`,
    '--output=json',
    `--output-fields=${ENTRY_FIELDS.join(',')}`,
    '--all',
    '--no-pager',
    '--quiet',
    '--merge',
    // With --since and not in reverse, --lines are the oldest ones.
    isFollowed ? '--follow' : '--reverse',
    ...(since === undefined ? [] : [`--since=${at(since)}`]),
    ...(until === undefined ? [] : [`--until=${at(until)}`]),
    ...(priority === undefined ? [] : [`--priority=${LOG_PRIORITIES.indexOf(priority)}`]),
    ...(machineId === '' ? [] : [`_MACHINE_ID=${machineId}`]),
  ];
}

function readMachineId(): string {
  try {
    return /^[0-9a-f]{32}$/m.exec(readFileSync(onHost('/etc/machine-id'), 'utf8'))?.[0] ?? '';
  } catch {
    return '';
  }
}

/**
 * Entries as journalctl gives them, not redacted. Ends journalctl when the caller stops reading, or on the signal. Throws `failed`.
 */
export async function* streamJournal(query: JournalQuery, signal: AbortSignal): AsyncGenerator<JournalEntry> {
  const args = journalArguments(query, readMachineId());
  const child = startProgram({ file: PATHS.journalctl, args }, ['ignore', 'pipe', 'pipe']);
  killOnAbort(child, signal);
  const ended = awaitEnd('journalctl', child);
  let entries: JournalEntry[] = [];
  let last: LogLine | undefined;
  const splitter = createLineSplitter((text, isCut) => {
    const entry = isCut ? describeTooLong(text, MAX_ENTRY_BYTES, last) : parseJournalEntry(text);
    if (!entry) return;
    last = entry.line;
    entries.push(entry);
  }, MAX_ENTRY_BYTES);
  try {
    for await (const chunk of child.stdout ?? []) {
      if (!Buffer.isBuffer(chunk)) continue;
      splitter.push(chunk);
      yield* entries;
      entries = [];
    }
    const end = await ended;
    if (signal.aborted) throw new LamplighterError('timed-out', 'read journal: stopped before the end');
    mustHaveEndedWell([end]);
    if (query.isFollowed) throw new LamplighterError('failed', 'follow journal: journalctl ended by itself');
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** The newest entries of a journal, oldest first, as many as are read within the time and held at once. */
async function collectNewest(
  query: JournalQuery,
  signal: AbortSignal,
): Promise<{ entries: JournalEntry[]; isCut: boolean }> {
  const timeUp = AbortSignal.timeout(READ_TIMEOUT_MS);
  const newestFirst: JournalEntry[] = [];
  let held = 0;
  try {
    for await (const entry of streamJournal(query, AbortSignal.any([signal, timeUp]))) {
      held += entry.line.message.length;
      if (held > MAX_HELD_CHARACTERS && newestFirst.length > 0)
        return { entries: newestFirst.toReversed(), isCut: true };
      newestFirst.push(entry);
    }
  } catch (error) {
    // What was read until then is the newest.
    if (signal.aborted || !timeUp.aborted) throw error;
    return { entries: newestFirst.toReversed(), isCut: true };
  }
  return { entries: newestFirst.toReversed(), isCut: false };
}

/** Lines of a reading, oldest first. */
export interface JournalReading {
  lines: LogLine[];
  /** Older lines that match were left out, for their size or because the time was up. */
  isCut: boolean;
  /** How many entries were looked through for a text, when there are older ones. */
  searched?: number;
}

/** The newest lines that have the text, in what is left of them once they are redacted. */
export function searchLines(lines: readonly LogLine[], { grep = '', lines: most }: JournalQuery): LogLine[] {
  const wanted = grep.toLowerCase();
  return lines.filter(({ message }) => message.toLowerCase().includes(wanted)).slice(-most);
}

/** The newest entries of a journal, oldest first, redacted, looked through for a text, and then cut to `maxLength`. */
export async function readJournal(
  query: JournalQuery,
  maxLength: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<JournalReading> {
  const { entries, isCut } = await collectNewest(query, signal);
  const messages = redactLines(
    entries.map(({ line }) => line.message),
    entries.map(({ goesOn }) => goesOn),
  );
  // Withheld lines are fewer.
  const redacted = messages.map((message, i) => ({ ...(entries[i]?.line ?? NO_LINE), message }));
  const found = query.grep === undefined ? redacted : searchLines(redacted, query);
  const lines = found.map((line) => ({ ...line, message: cutMessage(line.message, maxLength) }));
  if (query.grep === undefined) return { lines, isCut };
  const isEarly = isCut || entries.length >= MAX_SEARCHED;
  return { lines, isCut: false, ...(isEarly ? { searched: entries.length } : {}) };
}

const NO_LINE = { at: new Date(0).toISOString(), priority: 6 };

/** The last lines of a unit's journal as text, for the output of a failed command. */
export async function readLastLines(unit: string, lines: number): Promise<string[]> {
  const read = await readJournal({ unit, lines }, MAX_OUTPUT_LENGTH - 30);
  return read.lines.map(({ at, message }) => `${at} ${message}`);
}
