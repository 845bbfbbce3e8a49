// What PostgreSQL refused to restore, in pg_restore's own words.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';

export interface Refused {
  /** Kind and name, e.g. `TABLE app.orders`. */
  what: string;
  why: string;
  /** Of the dump's list, where it is known. */
  dumpId?: number | undefined;
}

const MAX_WHY = 500;
/** The last line of a pg_restore that came to the end of its list; it exits with 1 also where it broke off. */
const CAME_TO_END = /^pg_restore: warning: errors ignored on restore: \d+$/;
/**
 * Its session is gone, and it goes on all the same: each further statement fails. PostgreSQL's refusal of a statement begins
 * with ERROR; what ends a session is FATAL or PANIC, or comes from libpq and has no such word.
 */
const SESSION_LOST =
  /^(?:could not execute query: (?!ERROR: )|COPY failed for table .*: (?:FATAL: |PANIC: |no connection to the server|server closed ))/;
/** Its session ended while it sent rows, and it gave up. */
const BROKE_OFF = /^error returned by PQputCopy(?:Data|End): /;
/** The entry that pg_restore works on, in its verbose output. */
const DOING = /^pg_restore: ((?:processing|creating) .+)$/;
const MAX_DOING = 200;
const MAX_LINE = 10_000;

/** Kind and name of an entry, for people. */
export function nameEntry({ kind, schema, tag }: ListingEntry): string {
  const text = schema === '' ? `${kind} ${tag}` : `${kind} ${schema}.${tag}`;
  return Buffer.from(text, 'latin1').toString('utf8');
}

/** The end of pg_restore's session before its list was done. */
export interface SessionLoss {
  /** What pg_restore did then, in its own words, where it says that. */
  doing: string | undefined;
  why: string;
}

function isSessionLost(why: string): boolean {
  return SESSION_LOST.test(why) || BROKE_OFF.test(why);
}

function refusalOf(
  why: string,
  current: number | undefined,
  names: ReadonlyMap<number, ListingEntry>,
): Refused {
  // Rows are refused without a word of which entry it was; the table's name is in the reason.
  if (why.startsWith('COPY failed')) return { what: 'rows', why: why.slice(0, MAX_WHY) };
  const named = current === undefined ? undefined : names.get(current);
  const id = current === undefined ? {} : { dumpId: current };
  const words = why.replace(/^could not execute query: /, '').slice(0, MAX_WHY);
  return { what: named ? nameEntry(named) : 'the dump', why: words, ...id };
}

/** Reads pg_restore's stderr (pg_backup_archiver.c: warn_or_exit_horribly). */
export function createRefusalReader(entries: readonly ListingEntry[]): {
  take(text: string): void;
  refused(): Refused[];
  lost(): SessionLoss | undefined;
  /** True when pg_restore tried all that it was to restore, in a session that lasted. */
  wentOn(): boolean;
} {
  const names = new Map(entries.map((entry) => [entry.dumpId, entry]));
  const refused: Refused[] = [];
  let current: number | undefined;
  let rest = '';
  let last = '';
  let doing: string | undefined;
  let lost: SessionLoss | undefined;
  const takeLine = (line: string): void => {
    if (line !== '') last = line;
    doing = DOING.exec(line)?.[1]?.slice(0, MAX_DOING) ?? doing;
    const entry = /from TOC entry (\d+);/.exec(line)?.[1];
    if (entry !== undefined) current = Number(entry);
    const why = /^pg_restore: error: (.*)$/.exec(line)?.[1];
    if (why === undefined) return;
    if (isSessionLost(why)) lost ??= { doing, why: why.slice(0, MAX_WHY) };
    refused.push(refusalOf(why, current, names));
  };
  return {
    take: (text) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-MAX_LINE);
      for (const line of lines) takeLine(line);
    },
    refused: () => refused,
    lost: () => lost,
    wentOn: () => CAME_TO_END.test(last) && lost === undefined,
  };
}
