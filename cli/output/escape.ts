// Text that came from elsewhere (journals, error messages) must not drive the terminal of whoever reads it.

// C0 without tab, DEL, C1, and the bidirectional overrides that make text read other than it is.
const DANGEROUS =
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Makes control characters visible (`\x1b`, `\u202e`) and turns tabs into two spaces; one line stays one line. */
export function escapeForTerminal(text: string): string {
  return text.replace(DANGEROUS, escapeOne).replaceAll('\t', '  ');
}

/** As `escapeForTerminal`, keeping the line breaks of text that has several lines. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeForTerminal).join('\n');
}

function escapeOne(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
