// Values under a name that calls them secret, and headers that carry one: `DB_PASS=…`, `"secretKey": "…"`, `Cookie: …`.
import { isSecretName } from './secret-names.ts';
import { MARK } from './values.ts';

// A name, perhaps quoted (and escaped, as JSON within JSON is), and what stands between it and its value.
const NAME = /(?<![A-Za-z0-9_.-])([A-Za-z_][A-Za-z0-9_.-]{1,99})(\\{0,3}["']?\s{0,9}(?:=>|:=|==?|:)\s{0,9})/g;
const HEADERS = new Set(['cookie', 'set-cookie', 'authorization', 'proxy-authorization']);
const OPENING = /^(\\{0,3})(["'`])/;
const SCHEME = /^(?:Bearer|Basic|Digest|Negotiate)\s/i;

/** How far the value reaches that begins at `start`, after its name at `nameAt`; quotes around it are not part of it. */
function findValue(
  text: string,
  start: number,
  nameAt: number,
  isHeader: boolean,
): { from: number; to: number } {
  const opening = OPENING.exec(text.slice(start, start + 4));
  if (opening) {
    const [quotes = '', slashes = '', quote = ''] = opening;
    const from = start + quotes.length;
    return { from, to: findClosing(text, from, slashes, quote) };
  }
  const rest = new RegExp(endOf(text[nameAt - 1] ?? '', isHeader), 'g');
  rest.lastIndex = start;
  const end = rest.exec(text)?.index ?? text.length;
  // What closes a list or an object is not part of an unquoted value.
  const trailing = /[,;)}\]]{1,9}$/.exec(text.slice(Math.max(start, end - 9), end))?.[0].length ?? 0;
  return { from: start, to: isHeader ? end : end - trailing };
}

/** What ends an unquoted value, by the character before its name. */
function endOf(before: string, isHeader: boolean): string {
  if (!isHeader) return before === '?' || before === '&' ? '[\\s"\'&#<>]' : '[\\s"\'<>]';
  // The rest of its line, or of the string that it stands in.
  return before === '"' || before === "'" ? `[${before}\\r\\n]` : '[\\r\\n]';
}

/** Where the quote closes that was opened; the end of the text when it never does. */
function findClosing(text: string, from: number, slashes: string, quote: string): number {
  for (let i = from; i < text.length; i++) {
    const end = text.indexOf(quote, i);
    if (end < 0) return text.length;
    let before = 0;
    while (end - 1 - before >= from && text[end - 1 - before] === '\\') before++;
    // As many backslashes as the opening one had close it; more of them escape a quote inside.
    if (before === slashes.length || (slashes === '' && before % 2 === 0)) return end - slashes.length;
    i = end;
  }
  return text.length;
}

/** The text with the values hidden that their names call secret. */
export function redactAssignments(text: string): string {
  let kept = '';
  let done = 0;
  NAME.lastIndex = 0;
  for (let match = NAME.exec(text); match; match = NAME.exec(text)) {
    const [whole, name = ''] = match;
    const isHeader = HEADERS.has(name.toLowerCase());
    if (!isHeader && !isSecretName(name)) continue;
    const start = match.index + whole.length;
    const { from, to } = findValue(text, start, match.index, isHeader);
    const value = text.slice(from, to);
    const scheme = SCHEME.exec(value)?.[0] ?? '';
    if (value.length - scheme.length >= 3 && value !== scheme + MARK) {
      kept += text.slice(done, from) + scheme + MARK;
      done = to;
    }
    NAME.lastIndex = Math.max(to, start);
  }
  return kept + text.slice(done);
}
