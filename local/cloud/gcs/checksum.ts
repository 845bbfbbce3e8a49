// CRC32C and MD5 of a stream, and what a client said they must be. The client trusts the answer, so it has to be true.
import { createHash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { invalid } from './fault.ts';

export interface Checksums {
  /** Base64 of the big-endian 32 bits, as Google writes it. */
  crc32c: string;
  /** Base64; a composed object has none. */
  md5Hash?: string | undefined;
}

export interface Checksummer {
  update(chunk: Uint8Array): void;
  digest(): Required<Checksums>;
}

export function createChecksummer(): Checksummer {
  const md5 = createHash('md5');
  let crc = 0;
  return {
    update: (chunk) => {
      crc = crc32c(chunk, crc);
      md5.update(chunk);
    },
    digest: () => ({ crc32c: encodeCrc32c(crc), md5Hash: md5.copy().digest('base64') }),
  };
}

export function encodeCrc32c(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes.toString('base64');
}

/** `crc32c=...,md5=...`, in one header or several. */
export function parseGoogHash(header: string | string[] | undefined): Partial<Checksums> {
  const expected: Partial<Checksums> = {};
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  for (const pair of text.split(',').map((part) => part.trim())) {
    if (pair.startsWith('crc32c=')) expected.crc32c = pair.slice('crc32c='.length);
    if (pair.startsWith('md5=')) expected.md5Hash = pair.slice('md5='.length);
  }
  return expected;
}

/** What a client says of its content. */
export interface StatedChecksums {
  crc32c?: string | undefined;
  md5Hash?: string | undefined;
}

/** Refuses content whose checksum is not what any of the client's statements says. */
export function assertChecksums(actual: Checksums, statements: readonly StatedChecksums[]): void {
  for (const expected of statements) {
    if (expected.crc32c !== undefined && expected.crc32c !== actual.crc32c)
      throw mismatch('CRC32C', expected.crc32c, actual.crc32c);
    if (expected.md5Hash !== undefined && expected.md5Hash !== actual.md5Hash)
      throw mismatch('MD5 hash', expected.md5Hash, actual.md5Hash ?? 'none');
  }
}

function mismatch(kind: string, provided: string, actual: string): Error {
  return invalid(
    `Provided ${kind} "${provided}" doesn't match calculated ${kind} "${actual}". The object was not stored.`,
  );
}
