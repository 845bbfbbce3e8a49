// Integers and strings as pg_dump's archives hold them (src/bin/pg_dump/pg_backup_archiver.c: ReadInt, ReadStr, ReadOffset).
import { archiveFault, type ByteReader, MAX_STRING_BYTES } from './byte-reader.ts';

export interface Sizes {
  intBytes: number;
  offsetBytes: number;
}

export interface Primitives {
  int(): Promise<number>;
  text(): Promise<string | null>;
  /** The state byte of an offset; the offset itself is not needed to read in order. */
  offsetState(): Promise<number>;
}

/** Readers of a given archive. An integer is a sign byte and little-endian bytes; a string its length and its bytes, -1 is NULL. */
export function createPrimitives(reader: ByteReader, { intBytes, offsetBytes }: Sizes): Primitives {
  const int = async (): Promise<number> => {
    const raw = await reader.bytes(1 + intBytes);
    const sign = raw[0] ?? 0;
    if (sign > 1) throw archiveFault(reader.offset(), 'not an integer');
    const value = raw.readUIntLE(1, Math.min(intBytes, 6));
    return sign === 1 ? -value : value;
  };
  return {
    int,
    text: async () => {
      const length = await int();
      if (length < 0) return null;
      if (length > MAX_STRING_BYTES) throw archiveFault(reader.offset(), `a string of ${length} bytes`);
      return length === 0 ? '' : (await reader.bytes(length)).toString('utf8');
    },
    offsetState: async () => {
      const raw = await reader.bytes(1 + offsetBytes);
      return raw[0] ?? 0;
    },
  };
}
