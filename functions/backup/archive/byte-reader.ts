// Reads exact counts of bytes from a stream of chunks, with bounded memory.
import { LamplighterError } from '#shared/errors.ts';

/** Longest string of a table of contents: a definition of 64 MiB is no definition. */
export const MAX_STRING_BYTES = 64 * 1024 * 1024;

/** A fault in the archive, told with where it is. */
export function archiveFault(offset: number, detail: string): LamplighterError {
  return new LamplighterError('corrupt', `decode dump at byte ${offset}: ${detail}`);
}

export interface ByteReader {
  /** How many bytes were read. */
  offset(): number;
  /** Exactly `count` bytes. Throws `corrupt` when the archive ends before. */
  bytes(count: number): Promise<Buffer>;
  /** One byte, or undefined at the end. */
  byteOrEnd(): Promise<number | undefined>;
  /** Hands `count` bytes over piece by piece, without keeping them. */
  pass(count: number, take: (piece: Buffer) => void): Promise<void>;
}

/** A reader over chunks. */
export function createByteReader(source: AsyncIterable<Buffer>): ByteReader {
  const iterator = source[Symbol.asyncIterator]();
  let chunk: Buffer = Buffer.alloc(0);
  let position = 0;
  let offset = 0;
  const refill = async (): Promise<boolean> => {
    while (position >= chunk.length) {
      const { value, done } = await iterator.next();
      if (done) return false;
      chunk = value;
      position = 0;
    }
    return true;
  };
  const piece = async (most: number): Promise<Buffer> => {
    if (!(await refill())) throw archiveFault(offset, 'it ends in the middle');
    const part = chunk.subarray(position, position + most);
    position += part.length;
    offset += part.length;
    return part;
  };
  return {
    offset: () => offset,
    bytes: async (count) => {
      const first = await piece(count);
      if (first.length === count) return first;
      const parts = [first];
      for (let left = count - first.length; left > 0; ) {
        const part = await piece(left);
        parts.push(part);
        left -= part.length;
      }
      return Buffer.concat(parts);
    },
    byteOrEnd: async () => ((await refill()) ? (await piece(1))[0] : undefined),
    pass: async (count, take) => {
      for (let left = count; left > 0; ) {
        const part = await piece(left);
        take(part);
        left -= part.length;
      }
    },
  };
}
