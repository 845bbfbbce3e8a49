// The forms in which a secret's bytes may stand in a text. Escapes (percent, backslash, entities) are not listed here: the
// text is searched as it reads without them as well (views.ts).
import type { Pattern } from './matcher.ts';

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
export function formsOf(value: string): Pattern[] {
  return piecesOf(value).flatMap((piece) => {
    const bytes = Buffer.from(piece);
    const hex = bytes.toString('hex');
    return [
      ...[piece, hex, hex.toUpperCase()].map((text) => ({ text, hasSoftEdges: false })),
      ...base64Forms(bytes).map((text) => ({ text, hasSoftEdges: true })),
    ];
  });
}
