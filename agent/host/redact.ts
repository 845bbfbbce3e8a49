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

/** The text without what the patterns find. */
export function redact(text: string): string {
  return PATTERNS.reduce((kept, [pattern, replacement]) => kept.replace(pattern, replacement), text);
}
