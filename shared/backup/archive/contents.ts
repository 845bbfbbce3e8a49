// Header and table of contents of pg_dump's custom format (pg_backup_archiver.c: ReadHead, ReadToc; pg_backup_custom.c).
import { archiveFault, type Cursor, type Decoding, takeBytes } from './cursor.ts';
import {
  type ArchiveCursor,
  type DataOffset,
  readInt,
  readOffset,
  readText,
  skipText,
} from './primitives.ts';

/** Versions whose layout is known: PostgreSQL 9.0 (1.12) to 18 (1.16). */
const MIN_MINOR = 12;
const MAX_MINOR = 16;
/** pg_backup_archiver.h: archCustom. */
const CUSTOM_FORMAT = 1;
export const MAX_ENTRIES = 10_000_000;
const MAX_DUMP_ID = 2 ** 31 - 1;

/** How the blocks are compressed. */
export type Compression = 'none' | 'zlib' | 'zstd';

/** An entry that has data in the dump. */
export interface DataEntry {
  dumpId: number;
  /** `TABLE DATA`, `BLOBS`. */
  kind: string;
  schema: string;
  /** The table's name. */
  tag: string;
  /** `COPY schema.table (columns) FROM stdin;`; null when the rows are INSERT statements or there are none. */
  copyStatement: string | null;
  /** Where its block begins, when the dump knows. */
  offset: number | undefined;
}

export interface Contents extends ArchiveCursor {
  /** Of the format, e.g. 14 for 1.14. */
  minorVersion: number;
  compression: Compression;
  /** How many entries there are, with data or without. */
  entryCount: number;
  dataEntries: DataEntry[];
}

export type ArchiveHeader = Omit<Contents, 'entryCount' | 'dataEntries'>;

function isOneOf(value: number | undefined, choices: readonly number[]): value is number {
  return value !== undefined && choices.includes(value);
}

/** Reads what comes before the entries. */
export function* readHeader(cursor: Cursor): Decoding<ArchiveHeader> {
  if ((yield* takeBytes(cursor, 5)).toString('latin1') !== 'PGDMP') {
    throw archiveFault(cursor, 'not a PostgreSQL custom-format dump');
  }
  const [major, minor = 0, , intBytes, offsetBytes, format] = yield* takeBytes(cursor, 6);
  if (major !== 1 || minor < MIN_MINOR || minor > MAX_MINOR) {
    throw archiveFault(cursor, `format version ${major}.${minor} is not known`);
  }
  if (!isOneOf(intBytes, [4, 8]) || !isOneOf(offsetBytes, [4, 8])) {
    throw archiveFault(cursor, `integers of ${intBytes} and offsets of ${offsetBytes} bytes`);
  }
  if (format !== CUSTOM_FORMAT) throw archiveFault(cursor, `a dump of another format (${format})`);
  const archive = { cursor, intBytes, offsetBytes };
  const compression = yield* readCompression(archive, minor);
  // The time of the dump (seven integers), the database's name, the server's and pg_dump's version.
  for (let i = 0; i < 7; i++) yield* readInt(archive);
  for (let i = 0; i < 3; i++) yield* skipText(archive);
  return { ...archive, minorVersion: minor, compression };
}

/** Since 1.15 the algorithm as a byte (pg_backup.h: pg_compress_algorithm), before that zlib's level. */
function* readCompression(archive: ArchiveCursor, minor: number): Decoding<Compression> {
  if (minor < 15) return (yield* readInt(archive)) === 0 ? 'none' : 'zlib';
  const algorithm = (yield* takeBytes(archive.cursor, 1))[0];
  if (algorithm === 0) return 'none';
  if (algorithm === 1) return 'zlib';
  if (algorithm === 3) return 'zstd';
  throw archiveFault(archive.cursor, `its blocks are compressed in an unknown way (${algorithm})`);
}

interface EntryHead {
  dumpId: number;
  hasData: boolean;
  tag: string;
  kind: string;
  copyStatement: string | null;
  schema: string;
}

function* readEntryHead(archive: Contents): Decoding<EntryHead> {
  const dumpId = yield* readInt(archive);
  if (dumpId < 1 || dumpId > MAX_DUMP_ID) throw archiveFault(archive.cursor, `an entry with id ${dumpId}`);
  const hadDumper = yield* readInt(archive);
  if (hadDumper !== 0 && hadDumper !== 1)
    throw archiveFault(archive.cursor, 'an entry with half of its data');
  for (let i = 0; i < 2; i++) yield* skipText(archive); // oid of the catalogue, oid
  const tag = (yield* readText(archive)) ?? '';
  const kind = (yield* readText(archive)) ?? '';
  yield* readInt(archive); // section
  for (let i = 0; i < 2; i++) yield* skipText(archive); // definition, drop statement
  const copyStatement = yield* readText(archive);
  const schema = (yield* readText(archive)) ?? '';
  return { dumpId, hasData: hadDumper === 1, tag, kind, copyStatement, schema };
}

function* readEntryTail(archive: Contents): Decoding<DataOffset> {
  const { minorVersion } = archive;
  yield* skipText(archive); // tablespace
  if (minorVersion >= 14) yield* skipText(archive); // table access method
  if (minorVersion >= 16) yield* readInt(archive); // relkind
  for (let i = 0; i < 2; i++) yield* skipText(archive); // owner, `WITH OIDS`
  while (yield* skipText(archive)) {
    // The ids that it depends on, up to a NULL.
  }
  return yield* readOffset(archive);
}

function* readEntry(archive: Contents): Decoding<DataEntry | undefined> {
  const { hasData, ...head } = yield* readEntryHead(archive);
  const { state, offset } = yield* readEntryTail(archive);
  if (hasData === (state === 'no-data')) {
    throw archiveFault(archive.cursor, `entry ${head.dumpId} contradicts itself about its data`);
  }
  return hasData ? { ...head, offset: state === 'known' ? offset : undefined } : undefined;
}

/** Reads header and table of contents. Throws `corrupt` with where and what. */
export function* readContents(cursor: Cursor): Decoding<Contents> {
  const contents: Contents = { ...(yield* readHeader(cursor)), entryCount: 0, dataEntries: [] };
  const count = yield* readInt(contents);
  if (count < 0 || count > MAX_ENTRIES) throw archiveFault(cursor, `${count} entries`);
  for (let i = 0; i < count; i++) {
    const entry = yield* readEntry(contents);
    if (entry) contents.dataEntries.push(entry);
  }
  contents.entryCount = count;
  return contents;
}
