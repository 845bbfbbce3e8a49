// A text as it reads once escapes are taken away: percent (URLs, forms), backslashes (JSON, string literals), entities
// (HTML, XML), doubled quotes (SQL). Each view knows where in the text its characters come from.

/** `at[i]` is where in the text unit `i` of the view begins; one more entry says where the text ends. */
export interface View {
  text: string;
  at: Uint32Array;
}

/** What stands at an index: the units it means, and how long it is. Undefined: nothing but itself. */
type Decode = (text: string, index: number) => { units: readonly number[]; length: number } | undefined;

interface Decoder {
  /** The only characters at which `decode` is asked. */
  triggers: string;
  decode: Decode;
}

const MAX_DEPTH = 2;

/** Units of bytes that are UTF-8, or of each byte when they are not. */
function unitsOfBytes(bytes: readonly number[]): { units: number[]; bytesUsed: number } {
  const [lead = 0] = bytes;
  const size = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const text = Buffer.from(bytes.slice(0, size)).toString('utf8');
  if (size > bytes.length || text.includes('\ufffd')) return { units: [lead], bytesUsed: 1 };
  return { units: Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)), bytesUsed: size };
}

/** Up to four escaped bytes in a row, each `mark` and two hexadecimal digits. */
function decodeBytes(mark: string, text: string, index: number): ReturnType<Decode> {
  const size = mark.length + 2;
  const bytes: number[] = [];
  while (bytes.length < 4) {
    const start = index + bytes.length * size;
    const digits = text.slice(start + mark.length, start + size);
    if (!text.startsWith(mark, start) || !/^[0-9A-Fa-f]{2}$/.test(digits)) break;
    bytes.push(Number.parseInt(digits, 16));
  }
  if (bytes.length === 0) return undefined;
  const { units, bytesUsed } = unitsOfBytes(bytes);
  return { units, length: bytesUsed * size };
}

const LETTERS: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  '0': '\0',
};

function decodeBackslash(text: string, index: number): ReturnType<Decode> {
  const letter = text[index + 1];
  if (letter === undefined) return undefined;
  if (letter === 'x') return decodeBytes('\\x', text, index);
  const digits = text.slice(index + 2, index + 6);
  if (letter === 'u' && /^[0-9A-Fa-f]{4}$/.test(digits))
    return { units: [Number.parseInt(digits, 16)], length: 6 };
  return { units: [(LETTERS[letter] ?? letter).charCodeAt(0)], length: 2 };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntity(text: string, index: number): ReturnType<Decode> {
  const match = /^&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([a-z]{2,4}));/.exec(text.slice(index, index + 12));
  if (!match) return undefined;
  const [whole, decimal, hexadecimal, name = ''] = match;
  const code = decimal === undefined ? Number.parseInt(hexadecimal ?? '', 16) : Number(decimal);
  const meant = Number.isNaN(code)
    ? ENTITIES[name]
    : code <= 0x10ffff
      ? String.fromCodePoint(code)
      : undefined;
  if (meant === undefined) return undefined;
  return { units: Array.from({ length: meant.length }, (_, i) => meant.charCodeAt(i)), length: whole.length };
}

const SPACE = 0x20;
const QUOTE = 0x27;

const DECODERS: readonly Decoder[] = [
  { triggers: '%', decode: (text, index) => decodeBytes('%', text, index) },
  {
    // application/x-www-form-urlencoded
    triggers: '%+',
    decode: (text, index) =>
      text[index] === '+' ? { units: [SPACE], length: 1 } : decodeBytes('%', text, index),
  },
  { triggers: '\\', decode: decodeBackslash },
  { triggers: '&', decode: decodeEntity },
  {
    triggers: "'",
    decode: (text, index) => (text[index + 1] === "'" ? { units: [QUOTE], length: 2 } : undefined),
  },
];

/** The view of a text through one decoder; undefined when it is the text itself. */
function viewThrough({ triggers, decode }: Decoder, text: string): View | undefined {
  if (!triggers.split('').some((trigger) => text.includes(trigger))) return undefined;
  const units = new Uint16Array(text.length);
  const at = new Uint32Array(text.length + 1);
  let size = 0;
  let isChanged = false;
  const push = (unit: number, index: number): void => {
    units[size] = unit;
    at[size++] = index;
  };
  for (let i = 0; i < text.length; ) {
    const decoded = triggers.includes(text[i] ?? '') ? decode(text, i) : undefined;
    for (const unit of decoded?.units ?? [text.charCodeAt(i)]) push(unit, i);
    isChanged ||= decoded !== undefined;
    i += decoded?.length ?? 1;
  }
  if (!isChanged) return undefined;
  at[size] = text.length;
  const decodedText = Buffer.from(units.buffer, 0, size * 2).toString('utf16le');
  return { text: decodedText, at: at.subarray(0, size + 1) };
}

function onto(outer: View, inner: View): View {
  return { text: inner.text, at: inner.at.map((index) => outer.at[index] ?? 0) };
}

/** The text without its escapes, and without those that come to light then: each view that differs from the others. */
export function decodedViews(text: string): View[] {
  const seen = new Set([text]);
  const views: View[] = [];
  const look = (view: View | undefined, source: string, depth: number): void => {
    for (const decoder of DECODERS) {
      const inner = viewThrough(decoder, source);
      if (!inner || seen.has(inner.text)) continue;
      seen.add(inner.text);
      const made = view ? onto(view, inner) : inner;
      views.push(made);
      if (depth < MAX_DEPTH) look(made, made.text, depth + 1);
    }
  };
  look(undefined, text, 1);
  return views;
}
