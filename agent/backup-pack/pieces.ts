// Bytes in pieces that are worth the trip through a stream.
import type { Readable } from 'node:stream';

/** Programs write a few kilobytes at a time; each trip through a stream and the compressor's thread costs the same for a lot. */
export const PIECE_BYTES = 512 * 1024;

/** What comes in, joined to pieces of at least that size; the last one may be smaller. */
export async function* readPieces(source: Readable): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    const piece: Buffer = chunk;
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(pieces, bytes);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces, bytes);
}
