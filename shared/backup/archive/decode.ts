// Goes through a whole custom-format dump in order: every data block, every row, to the last byte.
import { readChunks, readLargeObjects } from './blocks.ts';
import { type Contents, type DataEntry, readContents } from './contents.ts';
import {
  archiveFault,
  type Decoding,
  type DecodingRun,
  hasMore,
  offsetOf,
  openCursor,
  runDecoding,
  startDecoding,
  takeBytes,
} from './cursor.ts';
import { readInt } from './primitives.ts';
import { createRowCounter } from './row-counter.ts';

export interface DecodedTable {
  schema: string;
  table: string;
  rows: number;
}

export interface DecodedArchive {
  /** Of the format, e.g. 14 for 1.14. */
  minorVersion: number;
  /** Tables with data in the dump. */
  tables: DecodedTable[];
  /** Entries of the table of contents. */
  entries: number;
  largeObjects: number;
}

/** pg_backup_archiver.h: BLK_DATA, BLK_BLOBS. */
const BLOCK_DATA = 1;
const BLOCK_LARGE_OBJECTS = 3;
const TABLE_DATA = 'TABLE DATA';
const MAX_MISSING_TOLD = 5;

function nameOf({ kind, schema, tag }: DataEntry): string {
  return schema === '' ? `${kind} ${tag}` : `${kind} ${schema}.${tag}`;
}

function* readTable(contents: Contents, entry: DataEntry): Decoding<DecodedTable> {
  if (!entry.copyStatement?.startsWith('COPY ')) {
    throw archiveFault(contents.cursor, `${nameOf(entry)} is not written as COPY text`);
  }
  const counter = createRowCounter();
  yield* readChunks(contents, counter.take);
  const rows = counter.rows();
  if (rows === undefined) {
    throw archiveFault(contents.cursor, `${nameOf(entry)} does not end as it should`);
  }
  return { schema: entry.schema, table: entry.tag, rows };
}

function waitingEntries({ cursor, dataEntries }: Contents): Map<number, DataEntry> {
  const waiting = new Map(dataEntries.map((entry) => [entry.dumpId, entry]));
  if (waiting.size < dataEntries.length) throw archiveFault(cursor, 'two entries have the same id');
  return waiting;
}

/** The entry whose block begins here. */
function* readBlockHead(contents: Contents, waiting: Map<number, DataEntry>): Decoding<[number, DataEntry]> {
  const { cursor } = contents;
  const offset = offsetOf(cursor);
  const type = (yield* takeBytes(cursor, 1))[0] ?? 0;
  if (type !== BLOCK_DATA && type !== BLOCK_LARGE_OBJECTS) {
    throw archiveFault(cursor, `a block of unknown type ${type}`);
  }
  const dumpId = yield* readInt(contents);
  const entry = waiting.get(dumpId);
  if (!entry) throw archiveFault(cursor, `a block of entry ${dumpId}, which has none or had it before`);
  if (entry.offset !== undefined && entry.offset !== offset) {
    throw archiveFault(cursor, `${nameOf(entry)} is not where the table of contents says`);
  }
  if ((type === BLOCK_DATA) !== (entry.kind === TABLE_DATA)) {
    throw archiveFault(cursor, `a block of type ${type} for ${nameOf(entry)}`);
  }
  waiting.delete(dumpId);
  return [type, entry];
}

function* decode(onTable?: OnTable): Decoding<DecodedArchive> {
  const cursor = openCursor();
  const contents = yield* readContents(cursor);
  const waiting = waitingEntries(contents);
  const tables: DecodedTable[] = [];
  let largeObjects = 0;
  while (yield* hasMore(cursor)) {
    const [type, entry] = yield* readBlockHead(contents, waiting);
    if (type === BLOCK_DATA) {
      const table = yield* readTable(contents, entry);
      onTable?.(entry.dumpId, table.rows);
      tables.push(table);
    } else largeObjects += yield* readLargeObjects(contents);
  }
  if (waiting.size > 0) {
    const missing = [...waiting.values()].slice(0, MAX_MISSING_TOLD).map(nameOf);
    throw archiveFault(cursor, `it ends without ${missing.join(', ')}`);
  }
  return { minorVersion: contents.minorVersion, tables, entries: contents.entryCount, largeObjects };
}

/** Told of each table's rows by the id of its entry: in a database of another encoding, names are not always unique. */
export type OnTable = (dumpId: number, rows: number) => void;

/** Decodes a dump from its decompressed bytes. Throws `corrupt` at the first fault, with its place. */
export async function decodeArchive(
  source: AsyncIterable<Buffer>,
  onTable?: OnTable,
): Promise<DecodedArchive> {
  return await runDecoding(decode(onTable), source);
}

/** Starts a decoder that is given a dump's bytes as they pass by. */
export function openArchiveReader(): DecodingRun<DecodedArchive> {
  return startDecoding(decode());
}
