// Integers, strings and offsets as pg_dump's archives hold them (src/bin/pg_dump/pg_backup_archiver.c: ReadInt, ReadStr,
// ReadOffset).
import { nameFromBytes } from '../name-bytes.ts';
import { archiveFault, type Cursor, type Decoding, skipBytes, takeBytes } from './cursor.ts';

/** A cursor with the sizes that the archive's header names. */
export interface ArchiveCursor {
  cursor: Cursor;
  intBytes: number;
  offsetBytes: number;
}

function toInt(cursor: Cursor, raw: Buffer, at: number, intBytes: number): number {
  const sign = raw[at] ?? 0;
  if (sign > 1) throw archiveFault(cursor, 'not an integer');
  const value = raw.readUInt32LE(at + 1);
  for (let i = 4; i < intBytes; i++) {
    if (raw[at + 1 + i] !== 0) throw archiveFault(cursor, 'an integer of more than 32 bits');
  }
  return sign === 1 ? -value : value;
}

/** The next integer when all of it is at hand, else undefined: `readInt` then waits for it. */
export function readIntAtHand({ cursor, intBytes }: ArchiveCursor): number | undefined {
  const { chunk, at } = cursor;
  if (chunk.length - at <= intBytes) return undefined;
  const value = toInt(cursor, chunk, at, intBytes);
  cursor.at = at + 1 + intBytes;
  return value;
}

/** A sign byte and little-endian bytes. */
export function* readInt(archive: ArchiveCursor): Decoding<number> {
  const { cursor, intBytes } = archive;
  return readIntAtHand(archive) ?? toInt(cursor, yield* takeBytes(cursor, 1 + intBytes), 0, intBytes);
}

/** A length and as many bytes; -1 is NULL. What is not UTF-8 is read so that two names stay two. */
export function* readText(archive: ArchiveCursor): Decoding<string | null> {
  const length = yield* readInt(archive);
  if (length < 0) return null;
  return nameFromBytes(yield* takeBytes(archive.cursor, length));
}

/** Leaves out a string; false when it was NULL. */
export function* skipText(archive: ArchiveCursor): Decoding<boolean> {
  const length = yield* readInt(archive);
  if (length > 0) yield* skipBytes(archive.cursor, length);
  return length >= 0;
}

/** pg_backup_custom.c: K_OFFSET_POS_NOT_SET, K_OFFSET_POS_SET, K_OFFSET_NO_DATA. */
const OFFSET_STATES = { 1: 'unknown', 2: 'known', 3: 'no-data' } as const;

export interface DataOffset {
  state: 'unknown' | 'known' | 'no-data';
  offset: number;
}

/** Where an entry's data is; a dump that was written to a pipe does not know. */
export function* readOffset({ cursor, offsetBytes }: ArchiveCursor): Decoding<DataOffset> {
  const raw = yield* takeBytes(cursor, 1 + offsetBytes);
  const flag = raw[0];
  if (flag !== 1 && flag !== 2 && flag !== 3) throw archiveFault(cursor, `an offset of unknown kind ${flag}`);
  // Six bytes are 256 TiB.
  const offset = raw.readUIntLE(1, Math.min(offsetBytes, 6));
  return { state: OFFSET_STATES[flag], offset };
}
