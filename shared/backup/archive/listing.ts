// The whole table of contents of pg_dump's custom format: every entry with its texts. A restore plans from this list.
import { MAX_ENTRIES, readHeader } from './contents.ts';
import { archiveFault, type Decoding, offsetOf, openCursor, runDecoding, takeBytes } from './cursor.ts';
import { type ArchiveCursor, readInt, readOffset } from './primitives.ts';

/** One entry. Texts are bytes, one character each (latin1): a dump may be in any encoding, and names must not merge. */
export interface ListingEntry {
  dumpId: number;
  /** True when it has a block of data. */
  hasData: boolean;
  section: 'none' | 'pre-data' | 'data' | 'post-data';
  /** `TABLE`, `FUNCTION`, `TABLE DATA`, `ACL`, … */
  kind: string;
  schema: string;
  tag: string;
  owner: string;
  tablespace: string;
  definition: string;
  dropStatement: string;
  copyStatement: string;
  /** Ids of the entries that this one needs. */
  dependsOn: number[];
}

export interface Listing {
  entries: ListingEntry[];
  /** `SET client_encoding = …;` as the dump has it. */
  encodingStatement: string;
  /** Length of header and list: what comes after it is data. */
  headBytes: number;
}

/** pg_backup.h: teSection. */
const SECTIONS = { 1: 'none', 2: 'pre-data', 3: 'data', 4: 'post-data' } as const;

function sectionOf(section: number): ListingEntry['section'] {
  return section === 2 || section === 3 || section === 4 ? SECTIONS[section] : 'none';
}

function* readBytes(archive: ArchiveCursor): Decoding<string | null> {
  const length = yield* readInt(archive);
  if (length < 0) return null;
  return (yield* takeBytes(archive.cursor, length)).toString('latin1');
}

function* readTexts(archive: ArchiveCursor, count: number): Decoding<string[]> {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) texts.push((yield* readBytes(archive)) ?? '');
  return texts;
}

function* readListingEntry(archive: ArchiveCursor, minorVersion: number): Decoding<ListingEntry> {
  const dumpId = yield* readInt(archive);
  const hasData = (yield* readInt(archive)) === 1;
  const [, , tag = '', kind = ''] = yield* readTexts(archive, 4); // oid of the catalogue, oid
  const section = sectionOf(yield* readInt(archive));
  const [definition = '', dropStatement = '', copyStatement = '', schema = '', tablespace = ''] =
    yield* readTexts(archive, 5);
  if (minorVersion >= 14) yield* readBytes(archive); // table access method
  if (minorVersion >= 16) yield* readInt(archive); // relkind
  const [owner = ''] = yield* readTexts(archive, 2); // and `WITH OIDS`
  const dependsOn: number[] = [];
  for (let id = yield* readBytes(archive); id !== null; id = yield* readBytes(archive))
    dependsOn.push(Number(id));
  yield* readOffset(archive);
  const names = { dumpId, hasData, section, kind, schema, tag, owner, tablespace };
  return { ...names, definition, dropStatement, copyStatement, dependsOn };
}

function* readAll(): Decoding<Listing> {
  const cursor = openCursor();
  const archive = yield* readHeader(cursor);
  const count = yield* readInt(archive);
  if (count < 0 || count > MAX_ENTRIES) throw archiveFault(cursor, `${count} entries`);
  const entries: ListingEntry[] = [];
  for (let i = 0; i < count; i++) entries.push(yield* readListingEntry(archive, archive.minorVersion));
  const encodingStatement = entries.find(({ kind }) => kind === 'ENCODING')?.definition ?? '';
  return { entries, encodingStatement, headBytes: offsetOf(cursor) };
}

/** Reads the list of a dump from its decompressed bytes, and no further. Throws `corrupt` with where and what. */
export async function readListing(source: AsyncIterable<Buffer>): Promise<Listing> {
  return await runDecoding(readAll(), source);
}
