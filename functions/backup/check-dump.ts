// The database's part: decompressed, decoded to its last row, and held against what was counted when it was taken.
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { type DecodedArchive, decodeArchive } from '#shared/backup/archive/decode.ts';
import type { BackupManifest, BackupPart } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { createMeter } from '#shared/kit/meter.ts';

/** Decompressed at once; every piece is a trip through several streams. */
const PIECE_BYTES = 512 * 1024;

type TableName = Pick<BackupManifest['tables'][number], 'schema' | 'table'>;

/** A dot may be part of a name: only both together are a key. */
function keyOf({ schema, table }: TableName): string {
  return JSON.stringify([schema, table]);
}

function textOf({ schema, table }: TableName): string {
  return `table ${schema}.${table}`;
}

/** Which tables are not as the manifest counted them. */
export function compareTables(
  expected: BackupManifest['tables'],
  { tables }: Pick<DecodedArchive, 'tables'>,
): string[] {
  const found = new Map(tables.map((table) => [keyOf(table), table]));
  const faults = expected.flatMap((table) => {
    const actual = found.get(keyOf(table));
    found.delete(keyOf(table));
    if (!actual) return [`${textOf(table)}: not in the dump`];
    if (actual.rows === table.rows) return [];
    return [`${textOf(table)}: ${actual.rows} rows in the dump, ${table.rows} counted when it was taken`];
  });
  return [
    ...faults,
    ...[...found.values()].map((table) => `${textOf(table)}: in the dump, not in the manifest`),
  ];
}

async function decodeStored(stored: Readable, part: BackupPart, manifest: BackupManifest): Promise<string[]> {
  const meter = createMeter();
  async function* metered(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      meter.update(chunk);
      // A few bytes can be made to decompress to terabytes.
      if (meter.bytes() > part.contentBytes) {
        throw new LamplighterError('corrupt', `decodes to more than its ${part.contentBytes} bytes`);
      }
      yield chunk;
    }
  }
  try {
    const decoded = await pipeline(
      stored,
      createZstdDecompress({ chunkSize: PIECE_BYTES }),
      (content: AsyncIterable<Buffer>) => decodeArchive(metered(content)),
    );
    const faults = compareTables(manifest.tables, decoded);
    const isSame = meter.bytes() === part.contentBytes && meter.sha256() === part.contentSha256;
    return isSame ? faults : [...faults, 'the decoded content differs from the manifest'];
  } catch (error) {
    return [messageOf(error)];
  }
}

export interface DumpInspector {
  /** Resolves when more can be taken. */
  take(chunk: Buffer): Promise<void>;
  faults(): Promise<string[]>;
  /** Ends the decoding early. */
  abandon(): void;
}

/** Decodes a stored dump while it passes. After a fault the rest is let by, so that all of it can be hashed. */
export function createDumpInspector(part: BackupPart, manifest: BackupManifest): DumpInspector {
  const stored = new PassThrough();
  // A decoder that gave up destroys what feeds it; that is not an error of its own.
  stored.on('error', () => undefined);
  const faults = decodeStored(stored, part, manifest);
  const ended = faults.then(() => undefined);
  return {
    take: async (chunk) => {
      if (stored.destroyed || stored.write(chunk)) return;
      await Promise.race([once(stored, 'drain').catch(() => undefined), ended]);
    },
    faults: async () => {
      if (!stored.destroyed) stored.end();
      return await faults;
    },
    abandon: () => void stored.destroy(new Error('abandoned')),
  };
}
