// CRC32C and MD5 of a stream. The client trusts the answer, so it has to be true.
import { createHash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';

export interface Checksums {
  /** Base64 of the big-endian 32 bits, as Google writes it. */
  crc32c: string;
  /** Base64. */
  md5Hash: string;
}

export interface Checksummer {
  update(chunk: Uint8Array): void;
  digest(): Checksums;
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

function encodeCrc32c(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes.toString('base64');
}
