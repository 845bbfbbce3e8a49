// Google Cloud Storage as the backup child uses it: create an object once, read one whose name it knows. Nothing else is
// granted to a host.
import type { Readable, Writable } from 'node:stream';
import { CRC32C, Storage } from '@google-cloud/storage';
import { LamplighterError, messageOf } from '#shared/errors.ts';

/** Base64 CRC32C over a stream's chunks. */
export interface Crc32cDigest {
  update(chunk: Buffer): void;
  digest(): string;
}

/** A running CRC32C, as Cloud Storage writes it. */
export function createCrc32c(): Crc32cDigest {
  const crc = new CRC32C();
  return { update: (chunk) => crc.update(chunk), digest: () => crc.toString() };
}

/** A multiple of 256 KiB. */
const CHUNK_BYTES = 16 * 1024 * 1024;

export interface ObjectStore {
  /** Opens an object for writing; it exists once `finished` resolves with the CRC32C that the bucket computed. Never overwrites. */
  create(object: string): { stream: Writable; finished: Promise<string> };
  /** Its bytes. Throws `not-found` when there is no such object. */
  read(object: string): AsyncGenerator<Buffer>;
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 404;
}

async function* readAll(stream: Readable, object: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (cause) {
    const code = isMissing(cause) ? 'not-found' : 'unavailable';
    throw new LamplighterError(code, `read ${object}: ${messageOf(cause)}`, { cause });
  }
}

/** A bucket; STORAGE_API_ENDPOINT points the client elsewhere (the local stack). */
export function openObjectStore(bucketName: string, apiEndpoint: string | undefined): ObjectStore {
  const bucket = new Storage(apiEndpoint === undefined ? {} : { apiEndpoint, projectId: 'local' }).bucket(
    bucketName,
  );
  return {
    create: (object) => {
      const file = bucket.file(object);
      const stream = file.createWriteStream({
        resumable: true,
        // In chunks that are kept until the bucket has them: a connection that breaks does not cost the whole upload.
        chunkSize: CHUNK_BYTES,
        // Generation 0: only where there is no such object yet.
        preconditionOpts: { ifGenerationMatch: 0 },
        // We hash what we send ourselves and compare with what the bucket says; twice would be waste.
        validation: false,
      });
      const finished = new Promise<string>((resolve, reject) => {
        stream.once('finish', () => resolve(String(file.metadata.crc32c ?? '')));
        stream.once('error', (cause) => {
          reject(
            new LamplighterError('unavailable', `store ${object}: ${messageOf(cause)}`, {
              retryable: true,
              cause,
            }),
          );
        });
      });
      finished.catch(() => undefined);
      return { stream, finished };
    },
    read: (object) => readAll(bucket.file(object).createReadStream({ validation: false }), object),
  };
}
