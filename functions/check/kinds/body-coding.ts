// Unpacks the body of an answer: some servers compress whatever they were asked for. Pure. It unpacks in one go and not
// on the thread pool, where look-ups of names that hang would keep it waiting, so it is bounded by size.
import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import { oneLine } from '../../one-line.ts';

/** A decompression bomb is dropped here. */
export const MAX_UNPACKED_BYTES = 8 * 1024 * 1024;
/** Several codings on top of each other multiply; curl stops at five. */
const MAX_CODINGS = 3;

const OPTIONS = { maxOutputLength: MAX_UNPACKED_BYTES };
/** RFC 9659, section 3: a window of more than 8 MiB is not allowed in the content coding `zstd`. */
const ZSTD_OPTIONS = { ...OPTIONS, params: { [constants.ZSTD_d_windowLogMax]: 23 } };

type Unpack = (packed: Buffer) => Buffer;

/** RFC 9110, section 8.4.1.2: a zlib stream; but some servers send raw deflate. A zlib header's method is 8. */
function inflate(packed: Buffer): Buffer {
  const isZlib = ((packed[0] ?? 0) & 0x0f) === 8;
  return isZlib ? inflateSync(packed, OPTIONS) : inflateRawSync(packed, OPTIONS);
}

const gunzip: Unpack = (packed) => gunzipSync(packed, OPTIONS);
const CODINGS: ReadonlyMap<string, Unpack> = new Map([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', inflate],
  ['br', (packed: Buffer) => brotliDecompressSync(packed, OPTIONS)],
  ['zstd', (packed: Buffer) => zstdDecompressSync(packed, ZSTD_OPTIONS)],
]);

/** The codings of a `Content-Encoding`, in the order in which they were applied. */
export function parseCodings(header: string | undefined): string[] {
  const names = (header ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'identity');
}

/** The unpacked body, or a sentence that says why there is none. */
export function unpackBody(body: Buffer, codings: readonly string[]): { body: Buffer } | { fault: string } {
  const unknown = codings.find((name) => !CODINGS.has(name));
  if (unknown !== undefined) return { fault: `body has an unknown content coding, "${oneLine(unknown)}"` };
  if (codings.length > MAX_CODINGS)
    return { fault: `body has ${codings.length} content codings, more than ${MAX_CODINGS}` };
  // An answer without a body may still name a coding.
  if (body.byteLength === 0) return { body };
  let unpacked = body;
  for (const name of codings.toReversed()) {
    try {
      unpacked = CODINGS.get(name)?.(unpacked) ?? unpacked;
    } catch (error) {
      return { fault: faultOf(name, error) };
    }
  }
  return { body: unpacked };
}

function faultOf(coding: string, error: unknown): string {
  const isTooLarge = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
  return isTooLarge
    ? 'body is larger than 8 MiB when unpacked, and was not read'
    : `body can't be unpacked as ${coding}`;
}
