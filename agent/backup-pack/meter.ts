// Counts and hashes what passes.
import { createHash } from 'node:crypto';
import { createCrc32c } from '#shared/backup/crc32c.ts';

export interface Measures {
  bytes: number;
  sha256: string;
  crc32c: string;
}

export interface Meter {
  update(chunk: Uint8Array): void;
  /** So far. */
  bytes(): number;
  /** Of all; once. */
  result(): Measures;
}

/** Knows afterwards how much went through and what its hashes are; CRC32C only where it is asked for. */
export function createMeter(options: { withCrc32c: boolean }): Meter {
  const sha256 = createHash('sha256');
  const crc32c = createCrc32c();
  let bytes = 0;
  return {
    update: (chunk) => {
      bytes += chunk.length;
      sha256.update(chunk);
      if (options.withCrc32c) crc32c.update(chunk);
    },
    bytes: () => bytes,
    result: () => ({
      bytes,
      sha256: sha256.digest('hex'),
      crc32c: options.withCrc32c ? crc32c.digest() : '',
    }),
  };
}
