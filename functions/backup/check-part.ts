// One part of a backup, downloaded once and gone through to its last byte: size, both checksums, and what is inside.
import { createHash } from 'node:crypto';
import { PassThrough, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import type { Bucket } from '@google-cloud/storage';
import { type BackupManifest, type BackupPart, backupObject, PART_FILES } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { type DecodedArchive, decodeArchive } from './archive/decode.ts';

/** A running CRC32C in base64, as the bucket writes it. */
export type Crc32cFactory = () => { update(chunk: Buffer): void; toString(): string };

interface Measured {
  bytes: number;
  sha256: string;
  crc32c: string;
}

const AGE_HEADER = 'age-encryption.org/v1\n';

function createMeter(createCrc32c: Crc32cFactory): { stream: Transform; result(): Measured } {
  const sha256 = createHash('sha256');
  const crc32c = createCrc32c();
  let bytes = 0;
  const stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      sha256.update(chunk);
      crc32c.update(chunk);
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ bytes, sha256: sha256.digest('hex'), crc32c: crc32c.toString() }) };
}

function compareMeasures(part: BackupPart, measured: Measured): string[] {
  const faults: string[] = [];
  if (measured.bytes === 0) return ['empty'];
  if (measured.bytes < part.bytes) faults.push(`truncated: ${measured.bytes} of ${part.bytes} bytes`);
  if (measured.bytes > part.bytes) faults.push(`${measured.bytes - part.bytes} bytes too many`);
  if (measured.sha256 !== part.sha256) faults.push('SHA-256 differs from the manifest');
  if (measured.crc32c !== part.crc32c) faults.push('CRC32C differs from the manifest');
  return faults;
}

/** Which tables are not as the manifest counted them. */
export function compareTables(manifest: BackupManifest, decoded: DecodedArchive): string[] {
  const found = new Map(decoded.tables.map(({ schema, table, rows }) => [`${schema}.${table}`, rows]));
  const faults = manifest.tables.flatMap(({ schema, table, rows }) => {
    const name = `${schema}.${table}`;
    const actual = found.get(name);
    found.delete(name);
    if (actual === undefined) return [`table ${name}: not in the dump`];
    return actual === rows
      ? []
      : [`table ${name}: ${actual} rows in the dump, ${rows} counted when it was taken`];
  });
  return [...faults, ...[...found.keys()].map((name) => `table ${name}: in the dump, not in the manifest`)];
}

/** Decodes the dump while it passes; whatever the decoder does, the bytes are read to their end, so that they are all hashed. */
async function checkDump(
  source: Readable,
  meter: Transform,
  part: BackupPart,
  manifest: BackupManifest,
): Promise<string[]> {
  const raw = new PassThrough();
  const content = createZstdDecompress();
  const sha256 = createHash('sha256');
  let contentBytes = 0;
  const plain = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      contentBytes += chunk.length;
      sha256.update(chunk);
      done(null, chunk);
    },
  });
  const decoding = Promise.all([pipeline(raw, content, plain), decodeArchive(plain)]).then(
    ([, decoded]) => {
      const faults = compareTables(manifest, decoded);
      if (contentBytes !== part.contentBytes || sha256.digest('hex') !== part.contentSha256) {
        faults.push('the decoded content differs from the manifest');
      }
      return faults;
    },
    (error: unknown) => {
      raw.destroy();
      return [messageOf(error)];
    },
  );
  await pipeline(
    source,
    meter,
    async function* forward(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        if (!raw.destroyed && !raw.write(chunk))
          await new Promise((resolve) => raw.once('drain', resolve).once('close', resolve));
      }
      if (!raw.destroyed) raw.end();
      yield Buffer.alloc(0);
    },
    new PassThrough().resume(),
  );
  return await decoding;
}

async function checkSealed(source: Readable, meter: Transform): Promise<string[]> {
  let head = '';
  const sink = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      if (head.length < AGE_HEADER.length) head += chunk.subarray(0, AGE_HEADER.length).toString('latin1');
      done();
    },
  });
  await pipeline(source, meter, sink.resume());
  // What is inside only the team's own key opens.
  return head.startsWith(AGE_HEADER) ? [] : ['not an age-encrypted file'];
}

function isStatus(error: unknown, status: number): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === status;
}

/** The faults of one part, each with the part's name; none when it is as the manifest says. Throws `unavailable` when the bucket failed. */
export async function checkPart(
  bucket: Bucket,
  manifest: BackupManifest,
  part: BackupPart,
  createCrc32c: Crc32cFactory,
): Promise<string[]> {
  const named = (faults: readonly string[]): string[] =>
    faults.map((fault) => `${PART_FILES[part.name]}: ${fault}`);
  if (part.object !== backupObject(manifest.host, manifest.backupId, PART_FILES[part.name])) {
    return named([`the manifest names ${part.object}, which is not of this backup`]);
  }
  const meter = createMeter(createCrc32c);
  const source = bucket.file(part.object).createReadStream({ validation: false });
  try {
    const faults =
      part.encoding === 'pg_dump-custom+zstd'
        ? await checkDump(source, meter.stream, part, manifest)
        : await checkSealed(source, meter.stream);
    return named([...new Set([...compareMeasures(part, meter.result()), ...faults])]);
  } catch (cause) {
    if (isStatus(cause, 404)) return named(['not in the bucket']);
    throw new LamplighterError('unavailable', `read ${part.object}: ${messageOf(cause)}`, {
      retryable: true,
      cause,
    });
  }
}
