// The detail of an audit entry as it is stored and hashed: JSON text of bounded size, since hosts and callers write parts of
// it and the trail is never pruned. Pure.
import { toJson } from './json.ts';

export const MAX_DETAIL_BYTES = 8192;
/** How much of a field that is too large is kept. */
const EXCERPT_BYTES = 512;
/** Room for the field that says what was cut. */
const NOTE_BYTES = 128;

function sizeOf(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/** The beginning of a value that is too large, as text. */
function excerptOf(value: unknown): string {
  const text = typeof value === 'string' ? value : toJson(value);
  // Half a character at the end is read as this sign.
  const start = Buffer.from(text, 'utf8')
    .subarray(0, EXCERPT_BYTES)
    .toString('utf8')
    .replace(/\ufffd$/, '');
  return `${start}… (cut: ${sizeOf(text)} bytes)`;
}

/** A field's bytes in the object: `"key":value,`. */
function fieldBytes(key: string, value: unknown): number {
  return sizeOf(toJson(key)) + sizeOf(toJson(value)) + 2;
}

/**
 * JSON text of at most `MAX_DETAIL_BYTES`. The smallest fields stay as they are (identifiers and digests, which are looked up
 * later, are among them); of larger ones the beginning stays, and `detailCut` says how large the detail was.
 */
export function writeDetail(detail: Record<string, unknown>): string {
  const whole = toJson(detail);
  if (sizeOf(whole) <= MAX_DETAIL_BYTES) return whole;
  let leftBytes = MAX_DETAIL_BYTES - NOTE_BYTES;
  const kept = new Map<string, unknown>();
  const bySize = Object.entries(detail).toSorted((a, b) => fieldBytes(...a) - fieldBytes(...b));
  for (const [key, value] of bySize) {
    const [shown] = [value, excerptOf(value)].filter((form) => fieldBytes(key, form) <= leftBytes);
    if (shown === undefined) continue;
    leftBytes -= fieldBytes(key, shown);
    kept.set(key, shown);
  }
  const inOrder = Object.keys(detail).flatMap((key) =>
    kept.has(key) ? [[key, kept.get(key)] as const] : [],
  );
  return toJson({ ...Object.fromEntries(inOrder), detailCut: `the detail had ${sizeOf(whole)} bytes` });
}
