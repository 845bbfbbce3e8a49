// What stands outside of quotes in the statements of a dump. Inside them is the text of whoever named an object or wrote a
// literal: no decision is made from it.

/**
 * One quoted part. pg_dump doubles a quote in every form of literal, in E'…' too, so a doubled one begins the next part;
 * bodies are in dollar quotes, and a name with a dollar sign is in double quotes.
 */
const QUOTED = /'[^']*'|"[^"]*"|\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$/gs;

/** A statement of the same length in which each quoted part is blank, its first and last character excepted. */
export function blankQuoted(statement: string): string {
  return statement.replace(QUOTED, (part) => `${part[0]}${'_'.repeat(part.length - 2)}${part.at(-1)}`);
}

/**
 * All matches of a pattern (flags `g` and `d`) in what stands outside of quotes: the whole and its groups, as the statement
 * has them; an empty text for a group without a match.
 */
export function matchUnquoted(statement: string, pattern: RegExp): string[][] {
  const found = [...blankQuoted(statement).matchAll(pattern)];
  return found.map(({ indices }) => Array.from(indices ?? [], (at) => (at ? statement.slice(...at) : '')));
}

/** True when a pattern matches what stands outside of quotes. */
export function isUnquoted(statement: string, pattern: RegExp): boolean {
  return pattern.test(blankQuoted(statement));
}
