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

export interface ObjectStore {
  /** Opens an object for writing; it exists once `finished` resolves with the CRC32C that the bucket computed. Never overwrites. */
  create(object: string): { stream: Writable; finished: Promise<string> };
  read(object: string): Readable;
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
    read: (object) => bucket.file(object).createReadStream({ validation: false }),
  };
}
