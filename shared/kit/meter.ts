// Counts and hashes bytes while they pass.
import { createHash } from 'node:crypto';

export interface Meter {
  update(chunk: Uint8Array): void;
  /** So far. */
  bytes(): number;
  /** Of all, in hexadecimal; ends the metering. */
  sha256(): string;
}

/** A meter that has seen nothing yet. */
export function createMeter(): Meter {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    update: (chunk) => {
      bytes += chunk.byteLength;
      hash.update(chunk);
    },
    bytes: () => bytes,
    sha256: () => hash.digest('hex'),
  };
}

/** What an object in a bucket is known by. */
export interface Measures {
  bytes: number;
  /** In hexadecimal. */
  sha256: string;
  /** In base64. */
  crc32c: string;
}

/** A meter of what is, or comes to be, an object in a bucket. */
export interface ObjectMeter extends Pick<Meter, 'update' | 'bytes'> {
  /** Of all; once. */
  result(): Measures;
}

/** An object's meter that has seen nothing yet. */
export async function createObjectMeter(): Promise<ObjectMeter> {
  const meter = createMeter();
  // Most processes that load this file never need it.
  const { createCrc32c } = await import('./crc32c.ts');
  const crc32c = await createCrc32c();
  return {
    update: (chunk) => {
      meter.update(chunk);
      crc32c.update(chunk);
    },
    bytes: meter.bytes,
    result: () => ({ bytes: meter.bytes(), sha256: meter.sha256(), crc32c: crc32c.base64() }),
  };
}
