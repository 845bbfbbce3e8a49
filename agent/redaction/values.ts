// Hides known secret values in a text, however they are written there. Escapes (percent, backslash, entities) are no forms of
// a value: the text is also searched as it reads without them (views.ts).
import { AT_START, createMatcher, type MatchState, mergeSpans, type Pattern, type Span } from './matcher.ts';
import { decodedViews } from './views.ts';

export const MARK = '[REDACTED]';

/** A part of a longer text: what the part before it ended in, and whether another part follows. */
export interface Continuation {
  state: MatchState;
  goesOn: boolean;
}

export interface ValueRedactor {
  /** The text without the values. */
  redact(text: string): string;
  /** One part of a text that was split anywhere, even within a value; `state` is for the next part. */
  redactPart(text: string, continuation: Continuation): { text: string; state: MatchState };
}

const WHOLE: Continuation = { state: AT_START, goesOn: false };

/** A shorter piece of base64 would be found in ordinary words. */
const MIN_BASE64 = 6;
/** Longer values are looked for piece by piece, so that one that was cut off is hidden as far as it goes. */
const PIECE_LENGTH = 64;
const ALIGNMENTS = [0, 1, 2];

/** A value in pieces; the last one overlaps the one before it rather than being short. */
function piecesOf(value: string): string[] {
  const starts = Array.from({ length: Math.floor(value.length / PIECE_LENGTH) }, (_, i) => i * PIECE_LENGTH);
  const pieces = starts.map((start) => value.slice(start, start + PIECE_LENGTH));
  if (value.length % PIECE_LENGTH !== 0) pieces.push(value.slice(-PIECE_LENGTH));
  return pieces;
}

/**
 * The characters of base64 (RFC 4648) that hold bits of these bytes alone when `before` bytes of something else come first
 * in their group of three. The character on either side may hold a few of their bits.
 */
function alignedBase64(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const isLastShared = (before + bytes.length) % 3 !== 0;
  return text.slice(before === 0 ? 0 : before + 1, isLastShared ? -1 : undefined);
}

function base64Forms(bytes: Buffer): string[] {
  return ALIGNMENTS.map((before) => alignedBase64(bytes, before))
    .filter((text) => text.length >= MIN_BASE64)
    .flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** Every form of a secret value that is looked for: itself, base64 and base64url at any place in a longer text, hex. */
function formsOf(value: string): Pattern[] {
  return piecesOf(value).flatMap((piece) => {
    const bytes = Buffer.from(piece);
    const hex = bytes.toString('hex');
    return [
      ...[piece, hex, hex.toUpperCase()].map((text) => ({ text, hasSoftEdges: false })),
      ...base64Forms(bytes).map((text) => ({ text, hasSoftEdges: true })),
    ];
  });
}

/** A redactor of these values. */
export function createValueRedactor(values: Iterable<string>): ValueRedactor {
  const forms = [...new Set(values)].flatMap(formsOf);
  if (forms.length === 0) {
    return { redact: (text) => text, redactPart: (text) => ({ text, state: AT_START }) };
  }
  const matcher = createMatcher(forms);
  const redactPart: ValueRedactor['redactPart'] = (text, { state, goesOn }) => {
    const { spans, state: end } = matcher.find(text, state);
    const decoded = decodedViews(text).flatMap((view) =>
      matcher
        .find(view.text)
        .spans.map(({ from, to }) => ({ from: view.at[from] ?? 0, to: view.at[to] ?? 0 })),
    );
    // The beginning of a value may end this part, and its rest begin the next one.
    const begun = goesOn ? [{ from: Math.max(0, text.length - matcher.depthOf(end)), to: text.length }] : [];
    return { text: hide(text, mergeSpans([...spans, ...decoded, ...begun])), state: goesOn ? end : AT_START };
  };
  return { redactPart, redact: (text) => redactPart(text, WHOLE).text };
}

function hide(text: string, spans: readonly Span[]): string {
  let kept = '';
  let from = 0;
  for (const span of spans.filter(({ from: start, to }) => to > start)) {
    kept += text.slice(from, span.from) + MARK;
    from = span.to;
  }
  return kept + text.slice(from);
}
