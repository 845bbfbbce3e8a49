import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DecodedArchive, decodeArchive } from '#shared/backup/archive/decode.ts';
import { LamplighterError } from '#shared/errors.ts';
import { copyText, type WrittenArchive, writeArchive } from '#test/fixtures/archive-writer.ts';

const DUMPS = join(import.meta.dirname, '../../../../fixtures/dumps');
const POSTGRES_18 = readFileSync(join(DUMPS, 'postgres-18.dump'));
const POSTGRES_18_GZIP = readFileSync(join(DUMPS, 'postgres-18-gzip.dump'));

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function decode(bytes: Buffer, pieceBytes = 65_536): Promise<DecodedArchive> {
  return decodeArchive(inPieces(bytes, pieceBytes));
}

/** `decoded`, or the fault; anything but a fault of the dump is thrown on. */
async function judge(bytes: Buffer, pieceBytes?: number): Promise<string> {
  try {
    await decode(bytes, pieceBytes);
    return 'decoded';
  } catch (error) {
    if (error instanceof LamplighterError && error.code === 'corrupt') return error.message;
    throw error;
  }
}

const TABLES = [
  { schema: 'app', table: 'engines', text: copyText(['1\tfirst', '2\t\\N', '\\\\.', '']) },
  { schema: 'app', table: 'empty', text: copyText([]) },
  { schema: 'odd.schema', table: 'naïve "table"', text: copyText(['x'.repeat(5000), 'y']) },
];
const DECODED = [
  { schema: 'app', table: 'engines', rows: 4 },
  { schema: 'app', table: 'empty', rows: 0 },
  { schema: 'odd.schema', table: 'naïve "table"', rows: 2 },
];

describe('a dump that pg_dump 18 wrote', () => {
  test.each([
    ['not compressed', POSTGRES_18],
    ['compressed by pg_dump', POSTGRES_18_GZIP],
  ])('is decoded, whatever pieces it comes in: %s', async (_name, dump) => {
    for (const size of [1, 7, 1000, dump.length]) {
      expect(await decode(dump, size)).toEqual({
        minorVersion: 16,
        entries: 17,
        largeObjects: 2,
        tables: [
          { schema: 'app', table: 'a', rows: 50 },
          { schema: 'app', table: 'empty', rows: 0 },
          { schema: 'public', table: 'b', rows: 1 },
        ],
      });
    }
  });

  test.each([
    ['not compressed', POSTGRES_18],
    ['compressed by pg_dump', POSTGRES_18_GZIP],
  ])('is refused wherever it is cut: %s', async (_name, dump) => {
    const accepted: number[] = [];
    for (let length = 0; length < dump.length; length += length > 4000 ? 5 : 1) {
      if ((await judge(dump.subarray(0, length))) === 'decoded') accepted.push(length);
    }
    expect(accepted).toEqual([]);
  });

  test('with a byte changed is decoded or refused, and nothing else', async () => {
    for (let at = 0; at < POSTGRES_18_GZIP.length; at += 3) {
      const changed = Buffer.from(POSTGRES_18_GZIP);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      await judge(changed);
    }
  });
});

describe('a dump of any known version', () => {
  test.each<WrittenArchive>([
    { minorVersion: 12 },
    { minorVersion: 13, chunkBytes: 1 },
    { minorVersion: 14, chunkBytes: 7 },
    { minorVersion: 15 },
    { minorVersion: 16, intBytes: 8, offsetBytes: 4, chunkBytes: 300 },
  ])('is decoded: %o', async (archive) => {
    for (const size of [1, 11, 65_536]) {
      const decoded = await decode(writeArchive({ ...archive, tables: TABLES }), size);
      expect(decoded).toEqual({
        minorVersion: archive.minorVersion,
        entries: 4,
        largeObjects: 0,
        tables: DECODED,
      });
    }
  });

  test.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /at byte 0: it ends in the middle/],
    [
      'something else',
      Buffer.from('-- PostgreSQL database dump\n\n\n'),
      /not a PostgreSQL custom-format dump/,
    ],
    ['an older version', writeArchive({ minorVersion: 11 }), /format version 1.11 is not known/],
    ['a newer version', writeArchive({ minorVersion: 17 }), /format version 1.17 is not known/],
    ['the tar format', writeArchive({ format: 3 }), /another format/],
    ['lz4', writeArchive({ minorVersion: 16, compression: 2 }), /compressed in an unknown way/],
    ['a count of entries too high', writeArchive({ tables: TABLES, entryCount: 5 }), /.+/],
    ['a negative count of entries', writeArchive({ entryCount: -2 }), /-2 entries/],
    [
      'a missing block',
      writeArchive({ tables: TABLES, blocks: [0, 1] }),
      /ends without TABLE DATA odd\.schema/,
    ],
    [
      'a block twice',
      writeArchive({ tables: TABLES, blocks: [0, 1, 1, 2] }),
      /entry 101, which has none or had it/,
    ],
    ['INSERT statements', writeArchive({ tables: TABLES, copyStatement: null }), /not written as COPY text/],
    [
      'bytes at the end',
      Buffer.concat([writeArchive({ tables: TABLES }), Buffer.from('x')]),
      /unknown type 120/,
    ],
    [
      'zeros at the end',
      Buffer.concat([writeArchive({ tables: TABLES }), Buffer.alloc(9)]),
      /unknown type 0/,
    ],
  ])('is refused: %s', async (_name, dump, fault) => {
    expect(await judge(dump)).toMatch(fault);
    expect(await judge(dump, 1)).toMatch(fault);
  });

  test.each([
    ['no terminator', 'a\nb\n'],
    ['no empty lines', 'a\n\\.\n'],
    ['one empty line', 'a\n\\.\n\n'],
    ['three empty lines', 'a\n\\.\n\n\n\n'],
    ['rows after the terminator', 'a\n\\.\n\nb\n'],
    ['an unfinished line', 'a\n\\.\n\n\nb'],
    ['nothing', ''],
  ])('is refused when the text of a table has %s', async (_name, text) => {
    for (const chunkBytes of [1, 3, 1000]) {
      const dump = writeArchive({ tables: [{ schema: 'app', table: 't', text }], chunkBytes });
      expect(await judge(dump)).toMatch(/TABLE DATA app\.t does not end as it should/);
    }
  });

  test('asks for no memory on the word of a length', async () => {
    const dump = writeArchive({ tables: TABLES });
    const at = dump.indexOf('encoding') - 4;
    dump.writeUInt32LE(0x7fff_ffff, at);
    expect(await judge(dump)).toMatch(/a piece of 2147483647 bytes/);
  });
});

test('random bytes after a good start are decoded or refused, and nothing else', async () => {
  const dump = writeArchive({ tables: TABLES });
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return seed % below;
  };
  for (let round = 0; round < 2000; round++) {
    const changed = Buffer.from(dump);
    for (let i = 0; i <= random(4); i++) changed[random(dump.length)] = random(256);
    await judge(changed, 1 + random(100));
  }
});
