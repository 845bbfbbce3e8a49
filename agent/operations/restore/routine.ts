// What pg_dump's statement for a function or procedure says before its body.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { blankQuoted, matchUnquoted } from './quotes.ts';

/** A name as pg_dump writes it. */
export const NAME = '(?:"(?:[^"]|"")*"|[a-z_][a-z0-9_]*)';
/** pg_dump's own lines of a function, in its order: language and attributes, then settings (pg_dump.c: dumpFunc). */
const FUNCTION_LINES = new RegExp(
  `\\n {4}LANGUAGE (${NAME})([^\\n]*)((?:\\n {4}SET ${NAME}(?:\\.${NAME})* TO [^\\n]*)*)`,
  'dg',
);
const SETTING = new RegExp(`\\n {4}SET (${NAME}(?:\\.${NAME})*) TO `, 'dg');
const ROUTINES = new Set(['FUNCTION', 'PROCEDURE']);

export interface RoutineHead {
  language: string;
  /** Names in them are blank. */
  attributes: string;
  settings: string[];
}

/** A name as SQL writes it, without its quotes. */
export function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** Language, attributes and settings of a routine; undefined for any other entry. */
export function readRoutine({ kind, definition }: ListingEntry): RoutineHead | undefined {
  if (!ROUTINES.has(kind)) return undefined;
  // The first outside of quotes: before it stands the argument list, with defaults of the owner's.
  const [[, language = '', attributes = '', settings = ''] = []] = matchUnquoted(definition, FUNCTION_LINES);
  const names = matchUnquoted(settings, SETTING).map(([, name = '']) => unquote(name).toLowerCase());
  return { language: unquote(language), attributes: blankQuoted(attributes), settings: names };
}
