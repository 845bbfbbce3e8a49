// Joins small chunks: each chunk costs a trip through a stream, whatever its size.
import type { Readable } from 'node:stream';

/**
 * Programs write a few kilobytes at a time; each trip through a stream and the compressor's thread costs the same for a lot.
 */
export const PIECE_BYTES = 512 * 1024;

/** The chunks, joined to pieces of at least that size; the last piece may be smaller. */
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
