// Header and table of contents of pg_dump's custom format (pg_backup_archiver.c: ReadHead, ReadToc; pg_backup_custom.c).
import { z } from 'zod';
import { archiveFault, type ByteReader } from './byte-reader.ts';
import { createPrimitives, type Primitives } from './primitives.ts';

/** Versions whose layout is known: PostgreSQL 9.0 (1.12) to 18 (1.16). */
const MIN_MINOR = 12;
const MAX_MINOR = 16;
const CUSTOM_FORMAT = 1;
const MAX_ENTRIES = 1_000_000;
/** pg_backup_custom.c: K_OFFSET_NO_DATA. */
const NO_DATA = 3;

export interface Entry {
  dumpId: number;
  tag: string;
  /** `TABLE`, `TABLE DATA`, `INDEX`, … */
  kind: string;
  schema: string;
  hasData: boolean;
}

export interface Contents {
  /** Of the format, e.g. 14 for 1.14. */
  minorVersion: number;
  /** 0: none, 1: gzip, as PostgreSQL numbers them since 16; earlier formats hold a zlib level. */
  isCompressed: boolean;
  entries: Entry[];
  primitives: Primitives;
}

/** Major and minor version, revision, bytes of an integer and of an offset, format. */
const HeaderFields = z.tuple([
  z.literal(1),
  z.int().min(MIN_MINOR).max(MAX_MINOR),
  z.int(),
  z.int().min(1).max(6),
  z.int().min(1).max(8),
  z.literal(CUSTOM_FORMAT),
]);

async function readHeader(reader: ByteReader): Promise<Omit<Contents, 'entries'>> {
  const magic = await reader.bytes(5);
  if (magic.toString('latin1') !== 'PGDMP') throw archiveFault(0, 'not a PostgreSQL custom-format dump');
  const fields = HeaderFields.safeParse([...(await reader.bytes(6))]);
  if (!fields.success) throw archiveFault(reader.offset(), 'its header is not one of a known version');
  const [, minorVersion, , intBytes, offsetBytes] = fields.data;
  const primitives = createPrimitives(reader, { intBytes, offsetBytes });
  const isCompressed = minorVersion >= 15 ? (await reader.bytes(1))[0] !== 0 : (await primitives.int()) !== 0;
  // The time of the dump (seven integers), the database's name, the server's and pg_dump's version.
  for (let i = 0; i < 7; i++) await primitives.int();
  for (let i = 0; i < 3; i++) await primitives.text();
  return { minorVersion, isCompressed, primitives };
}

async function readEntry({ int, text, offsetState }: Primitives, minorVersion: number): Promise<Entry> {
  const dumpId = await int();
  await int(); // had a dumper
  await text(); // table oid
  await text(); // oid
  const tag = (await text()) ?? '';
  const kind = (await text()) ?? '';
  await int(); // section
  await text(); // definition
  await text(); // drop statement
  await text(); // copy statement
  const schema = (await text()) ?? '';
  await text(); // tablespace
  if (minorVersion >= 14) await text(); // table access method
  if (minorVersion >= 16) await int(); // relkind
  await text(); // owner
  await text(); // with oids
  while ((await text()) !== null) {
    // the dump ids it depends on, up to a NULL
  }
  return { dumpId, tag, kind, schema, hasData: (await offsetState()) !== NO_DATA };
}

/** Reads header and table of contents. Throws `corrupt` with where and what. */
export async function readContents(reader: ByteReader): Promise<Contents> {
  const header = await readHeader(reader);
  const count = await header.primitives.int();
  if (count < 0 || count > MAX_ENTRIES) throw archiveFault(reader.offset(), `${count} entries`);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) entries.push(await readEntry(header.primitives, header.minorVersion));
  return { ...header, entries };
}
