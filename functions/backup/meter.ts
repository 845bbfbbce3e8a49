// Counts and hashes bytes while they pass.
import { createHash } from 'node:crypto';

/** A running CRC32C in base64, as the bucket writes it. */
export type Crc32cFactory = () => { update(chunk: Buffer): void; toString(): string };

export interface Meter {
  update(chunk: Buffer): void;
  bytes(): number;
  /** In hexadecimal; ends the metering. */
  sha256(): string;
}

/** A meter that has seen nothing yet. */
export function createMeter(): Meter {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    update: (chunk) => {
      bytes += chunk.length;
      hash.update(chunk);
    },
    bytes: () => bytes,
    sha256: () => hash.digest('hex'),
  };
}
