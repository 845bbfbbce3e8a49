// Names of tables as text. In a database of another encoding, or of none (SQL_ASCII), a name is bytes that may not be UTF-8;
// decoded as they come, `café` and `cafè` of LATIN1 would be one name.

const BACKSLASH = 92;
/** What the escaped form looks like: a name that looks like this itself is escaped too, so no two names become one. */
const LOOKS_ESCAPED = /\\(?:\\|x[0-9a-f]{2})/;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** How many bytes the UTF-8 sequence has that may begin with this byte; 0 for a byte that begins none. */
function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

function escapeBytes(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = sequenceLength(first);
    const piece = length === 0 ? undefined : decode(bytes.subarray(at, at + length));
    if (first === BACKSLASH) text += '\\\\';
    else text += piece ?? `\\x${first.toString(16).padStart(2, '0')}`;
    at += piece === undefined ? 1 : length;
  }
  return text;
}

/**
 * The name that these bytes are: the text itself when they are UTF-8, else with `\xHH` for each byte that is not, and `\\`
 * for a backslash. Two different byte strings never give the same name.
 */
export function nameFromBytes(bytes: Uint8Array): string {
  const text = decode(bytes);
  return text !== undefined && !LOOKS_ESCAPED.test(text) ? text : escapeBytes(bytes);
}
