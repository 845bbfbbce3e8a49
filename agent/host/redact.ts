// Takes secrets out of text that leaves the host (output of programs, lines of a journal): first the values that this
// process was told (only processes of root's are), then what looks like a secret.
import { AT_START } from '../redaction/matcher.ts';
import { redactPatterns } from '../redaction/patterns.ts';
import { createValueRedactor, MARK, type ValueRedactor } from '../redaction/values.ts';

// One for the whole process, so that no caller can forget to pass it.
let values: ValueRedactor = createValueRedactor([]);

/** From now on these values are hidden wherever this process redacts, in place of those told before. */
export function hideValues(secrets: Iterable<string>): void {
  values = createValueRedactor(secrets);
}

let whyWithheld: string | undefined;

/** The values could not be read: from now on no lines are shown at all, for `reason`. */
export function withholdLines(reason: string): void {
  whyWithheld = reason;
}

const KEY_BEGIN = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const KEY_END = /-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
// Base64, a header of an old encrypted key, or the end.
const KEY_BODY =
  /^(?:[A-Za-z0-9+/=]*|[A-Z][A-Za-z-]+: \S+|-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)$/;
/** A line of a key, when a stream begins in the middle of one. */
const LIKELY_BODY = /^[A-Za-z0-9+/]{60,76}={0,2}$/;

/** Blanks are removed first: the time of a pattern that allows them on both sides grows with the square of their number. */
function isKeyLine(line: string, pattern: RegExp): boolean {
  return pattern.test(line.trim());
}

/** Hides the secrets of lines that come one by one; `goesOn` says that the next one continues this one. */
export type LineRedactor = (line: string, goesOn?: boolean) => string;

/** For lines that come one by one: also hides a private key that is spread over several, and a value split between two. */
export function createLineRedactor(): LineRedactor {
  let state = AT_START;
  let key: 'perhaps' | 'inside' | 'outside' = 'perhaps';
  return (line, goesOn = false) => {
    const known = values.redactPart(line, { state, goesOn });
    ({ state } = known);
    if (key !== 'outside' && isKeyLine(line, key === 'inside' ? KEY_BODY : LIKELY_BODY)) {
      if (KEY_END.test(line)) key = 'outside';
      return MARK;
    }
    const wasPerhaps = key === 'perhaps';
    key = KEY_BEGIN.test(line) && !KEY_END.test(line) ? 'inside' : 'outside';
    return wasPerhaps && KEY_END.test(line) && !KEY_BEGIN.test(line) ? MARK : redactPatterns(known.text);
  };
}

/**
 * Lines without secrets, and without the rest of a private key whose beginning is not among them. `goesOn[i]`: the next line
 * continues line i.
 */
export function redactLines(lines: readonly string[], goesOn: readonly boolean[] = []): string[] {
  if (whyWithheld !== undefined) return [`[withheld: ${whyWithheld}]`];
  const redactLine = createLineRedactor();
  const redacted = lines.map((line, i) => redactLine(line, goesOn[i]));
  const end = lines.findIndex((line) => KEY_END.test(line));
  if (end < 0 || lines.slice(0, end + 1).some((line) => KEY_BEGIN.test(line))) return redacted;
  const start = lines.slice(0, end).findLastIndex((line) => !isKeyLine(line, KEY_BODY)) + 1;
  return redacted.fill(MARK, start, end + 1);
}

/** The text without its secrets. */
export function redact(text: string): string {
  return redactPatterns(values.redact(text));
}
