// Goes through a whole custom-format dump in order: every data block, every row, to the last byte.
import { archiveFault, type ByteReader, createByteReader } from './byte-reader.ts';
import { type Contents, type Entry, readContents } from './contents.ts';
import type { Primitives } from './primitives.ts';

export interface DecodedTable {
  schema: string;
  table: string;
  rows: number;
}

export interface DecodedArchive {
  /** Tables with data in the dump. */
  tables: DecodedTable[];
  /** Entries of the table of contents. */
  entries: number;
  largeObjects: number;
}

/** pg_backup_archiver.h: BLK_DATA, BLK_BLOBS. */
const BLOCK_DATA = 1;
const BLOCK_LARGE_OBJECTS = 3;
const NEWLINE = 10;
/** How a table's COPY text ends: the terminator and two empty lines (pg_dump.c: dumpTableData_copy). */
const COPY_END = Buffer.from('\\.\n\n\n');

interface RowCounter {
  take(piece: Buffer): void;
  /** Rows, or undefined when the text does not end as COPY text ends. */
  rows(): number | undefined;
}

function createRowCounter(): RowCounter {
  let newlines = 0;
  let tail = Buffer.alloc(0);
  return {
    take: (piece) => {
      for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) newlines += 1;
      tail = Buffer.concat([tail, piece.subarray(-COPY_END.length)]).subarray(-COPY_END.length);
    },
    // Values hold no raw newline: COPY writes it as \n. Three belong to the end.
    rows: () => (tail.equals(COPY_END) ? newlines - 3 : undefined),
  };
}

/** Hands over a block's chunks, each preceded by its length, up to a length of zero. */
async function passChunks(
  reader: ByteReader,
  { int }: Primitives,
  take: (piece: Buffer) => void,
): Promise<void> {
  for (let length = await int(); length !== 0; length = await int()) {
    if (length < 0) throw archiveFault(reader.offset(), `a chunk of ${length} bytes`);
    await reader.pass(length, take);
  }
}

async function readTable(reader: ByteReader, primitives: Primitives, entry: Entry): Promise<DecodedTable> {
  const counter = createRowCounter();
  await passChunks(reader, primitives, counter.take);
  const rows = counter.rows();
  if (rows === undefined)
    throw archiveFault(reader.offset(), `the data of ${entry.schema}.${entry.tag} does not end as it should`);
  return { schema: entry.schema, table: entry.tag, rows };
}

async function readLargeObjects(reader: ByteReader, primitives: Primitives): Promise<number> {
  let count = 0;
  for (let oid = await primitives.int(); oid !== 0; oid = await primitives.int()) {
    await passChunks(reader, primitives, () => undefined);
    count += 1;
  }
  return count;
}

async function readBlocks(reader: ByteReader, { entries, primitives }: Contents): Promise<DecodedArchive> {
  const waiting = new Map(entries.filter(({ hasData }) => hasData).map((entry) => [entry.dumpId, entry]));
  const tables: DecodedTable[] = [];
  let largeObjects = 0;
  for (let type = await reader.byteOrEnd(); type !== undefined; type = await reader.byteOrEnd()) {
    const dumpId = await primitives.int();
    const entry = waiting.get(dumpId);
    if (!entry)
      throw archiveFault(reader.offset(), `a block of entry ${dumpId}, which has none or had it before`);
    waiting.delete(dumpId);
    if (type === BLOCK_DATA && entry.kind === 'TABLE DATA')
      tables.push(await readTable(reader, primitives, entry));
    else if (type === BLOCK_DATA) await passChunks(reader, primitives, () => undefined);
    else if (type === BLOCK_LARGE_OBJECTS) largeObjects += await readLargeObjects(reader, primitives);
    else throw archiveFault(reader.offset(), `a block of unknown type ${type}`);
  }
  const missing = [...waiting.values()].map(({ schema, tag, kind }) => `${kind} ${schema}.${tag}`);
  if (missing.length > 0)
    throw archiveFault(reader.offset(), `it ends without ${missing.slice(0, 5).join(', ')}`);
  return { tables, entries: entries.length, largeObjects };
}

/** Decodes a dump made with `--format=custom --compress=0`. Throws `corrupt` at the first fault, with its place. */
export async function decodeArchive(source: AsyncIterable<Buffer>): Promise<DecodedArchive> {
  const reader = createByteReader(source);
  const contents = await readContents(reader);
  if (contents.isCompressed)
    throw archiveFault(reader.offset(), 'its blocks are compressed, which is not how our backups are made');
  return await readBlocks(reader, contents);
}
