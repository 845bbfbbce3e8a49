// Checks the dump: decompresses it, decodes it to its last row, and compares it with the counts in the manifest.
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { type DecodedArchive, decodeArchive } from '#shared/backup/archive/decode.ts';
import type { BackupManifest, BackupPart } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { createMeter } from '#shared/kit/meter.ts';

/** Size of a decompressed piece; each piece passes several streams. */
const PIECE_BYTES = 512 * 1024;

type TableName = Pick<BackupManifest['tables'][number], 'schema' | 'table'>;

/** A name may contain a dot, so the key is the pair of schema and table. */
function keyOf({ schema, table }: TableName): string {
  return JSON.stringify([schema, table]);
}

function textOf({ schema, table }: TableName): string {
  return `table ${schema}.${table}`;
}

/** The tables that differ from the manifest's counts. */
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
      // A few bytes can decompress to terabytes.
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

/** Decodes a stored dump while it is streamed. After a fault the rest passes undecoded, so that all of it is hashed. */
export function createDumpInspector(part: BackupPart, manifest: BackupManifest): DumpInspector {
  const stored = new PassThrough();
  // A decoder that stops destroys its source; that is not an error.
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
