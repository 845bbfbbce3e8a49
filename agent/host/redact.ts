// Takes what looks like a secret out of text that leaves the host: output of programs, lines of the journal.

const MARK = '[REDACTED]';

// Each keeps what names the secret and replaces the secret itself.
const PATTERNS: readonly [RegExp, string][] = [
  // user:password@ in a URL
  [/([a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{1,100}:)[^\s@/]{1,200}@/gi, `$1${MARK}@`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${MARK}`],
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(-----END \1-----|$)/g, `-----BEGIN $1----- ${MARK}`],
  [/\bAGE-SECRET-KEY-1[0-9A-Z]{20,}/gi, MARK],
  [
    /((?:password|passwd|pwd|secret|token|api[_-]?key|session[_-]?key)["']?\s*[=:]\s*["']?)[^\s"',;]{3,}/gi,
    `$1${MARK}`,
  ],
];

const KEY_BEGIN = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const KEY_END = /-----END [A-Z ]*PRIVATE KEY-----/;
// Base64, a header of an old encrypted key, or the end.
const KEY_BODY = /^\s*([A-Za-z0-9+/=]*|[A-Z][A-Za-z-]+: \S+|-----END [A-Z ]*PRIVATE KEY-----)\s*$/;

/** For lines that come one by one: also hides the body of a private key that is spread over several. */
export function createLineRedactor(): (line: string) => string {
  let isInKey = false;
  return (line) => {
    if (isInKey && KEY_BODY.test(line)) {
      isInKey = !KEY_END.test(line);
      return MARK;
    }
    isInKey = KEY_BEGIN.test(line) && !KEY_END.test(line);
    return redact(line);
  };
}

/** Lines without what the patterns find, and without the rest of a private key whose beginning is not among them. */
export function redactLines(lines: readonly string[]): string[] {
  const redacted = lines.map(createLineRedactor());
  const end = lines.findIndex((line) => KEY_END.test(line));
  if (end < 0 || lines.slice(0, end + 1).some((line) => KEY_BEGIN.test(line))) return redacted;
  const start = lines.slice(0, end).findLastIndex((line) => !KEY_BODY.test(line)) + 1;
  return redacted.fill(MARK, start, end + 1);
}

/** The text without what the patterns find. */
export function redact(text: string): string {
  return PATTERNS.reduce((kept, [pattern, replacement]) => kept.replace(pattern, replacement), text);
}
