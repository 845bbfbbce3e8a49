// journalctl: the last lines of a unit's journal, parsed and redacted.
import type { LogLine } from '#shared/operations/service.ts';
import { PATHS } from '../config/paths.ts';
import { parseJournalEntry } from './journal-follow.ts';
import { runChecked } from './process.ts';
import { redactLines } from './redact.ts';

const TIMEOUT_MS = 20_000;
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
const MAX_MESSAGE_LENGTH = 4000;

export interface JournalQuery {
  unit: string;
  lines: number;
  /** RFC 3339. */
  since?: string | undefined;
}

/** Arguments of journalctl; the unit has been checked against the policy and never begins with `-`. */
export function journalArguments({ unit, lines, since }: JournalQuery): string[] {
  const from = since === undefined ? [] : [`--since=@${(Date.parse(since) / 1000).toFixed(3)}`];
  return [`--unit=${unit}`, `--lines=${lines}`, '--output=json', '--no-pager', '--quiet', ...from];
}

/** The newest lines of a unit's journal, oldest first. */
export async function readJournal(query: JournalQuery): Promise<LogLine[]> {
  const args = journalArguments(query);
  const text = await runChecked({
    file: PATHS.journalctl,
    args,
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  });
  const lines = text.split('\n').flatMap((line) => (line === '' ? [] : (parseJournalEntry(line) ?? [])));
  const messages = redactLines(lines.map(({ message }) => message));
  return lines.map((line, i) => ({ ...line, message: (messages[i] ?? '').slice(0, MAX_MESSAGE_LENGTH) }));
}

/** The lines as text, for the output of a failed command. */
export function writeLines(lines: readonly LogLine[]): string[] {
  return lines.map(({ at, message }) => `${at} ${message}`.slice(0, MAX_MESSAGE_LENGTH));
}
