// One entry of a journal, as `journalctl --output=json` writes it.
import * as z from 'zod';
import { LogLine } from '#shared/operations/logs.ts';

/** A line of a log; `goesOn`: journald cut it for its length, and the next one continues it. */
export interface JournalEntry {
  line: LogLine;
  goesOn: boolean;
}

/** The fields that are asked for; the time is always there. */
export const ENTRY_FIELDS = ['PRIORITY', 'MESSAGE', '_LINE_BREAK'] as const;

// systemd.journal-fields(7). A value that is not UTF-8 is an array of bytes; a field that is there several times is an
// array of values.
const Bytes = z.array(z.int().min(0).max(255)).min(1);
const Value = z.union([z.string(), Bytes, z.null()]);
const Micros = z.string().regex(/^\d{1,17}$/);
const Fields = z.object({
  __REALTIME_TIMESTAMP: Micros,
  PRIORITY: z
    .string()
    .regex(/^[0-7]$/)
    .catch('6'),
  MESSAGE: z.union([Value, z.array(Value)]).catch(null),
  _LINE_BREAK: z.string().catch(''),
});

const TIME = /(?<!\\)"__REALTIME_TIMESTAMP":"(\d{1,17})"/;

function timeOf(micros: string): string {
  return new Date(Number(micros) / 1000).toISOString();
}

function textOf(value: z.infer<typeof Value>): string {
  if (value === null) return '[a message that journalctl did not show]';
  return typeof value === 'string' ? value : Buffer.from(value).toString('utf8');
}

function messageOf(message: z.infer<typeof Fields>['MESSAGE']): string {
  const bytes = Bytes.safeParse(message);
  if (bytes.success) return textOf(bytes.data);
  return Array.isArray(message)
    ? message.map((value) => textOf(Value.parse(value))).join('\n')
    : textOf(message);
}

/** A line of journalctl's as an entry; undefined when it is none. */
export function parseJournalEntry(text: string): JournalEntry | undefined {
  try {
    const { __REALTIME_TIMESTAMP: micros, PRIORITY, MESSAGE, _LINE_BREAK } = Fields.parse(JSON.parse(text));
    const line = { at: timeOf(micros), priority: Number(PRIORITY), message: messageOf(MESSAGE) };
    return { line: LogLine.parse(line), goesOn: _LINE_BREAK === 'line-max' };
  } catch {
    return undefined;
  }
}

/**
 * Stands for an entry of which only the first `bytes` were read; it has the time of the one before it where its own is cut
 * off.
 */
export function describeTooLong(text: string, bytes: number, before: LogLine | undefined): JournalEntry {
  const micros = TIME.exec(text)?.[1];
  const at = micros === undefined ? (before?.at ?? timeOf('0')) : timeOf(micros);
  const message = `[an entry of more than ${bytes} bytes: too large to show; journalctl shows it on the host]`;
  return { line: { at, priority: 6, message }, goesOn: false };
}

/**
 * At most this many characters of a message, saying how many were cut. Only of what is redacted: a cut hides secrets from it.
 */
export function cutMessage(message: string, maxLength: number): string {
  if (message.length <= maxLength) return message;
  const kept = message
    .slice(0, maxLength - CUT_NOTE_LENGTH)
    .toWellFormed()
    .replace(/\ufffd$/, '');
  return `${kept}… [cut: ${message.length - kept.length} more characters]`;
}

const CUT_NOTE_LENGTH = 40;
