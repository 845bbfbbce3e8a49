// CRC32C and MD5 of a stream, which the client compares with its own.
import { createHash } from 'node:crypto';
import { createCrc32c } from '#shared/kit/crc32c.ts';

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

export async function createChecksummer(): Promise<Checksummer> {
  const md5 = createHash('md5');
  const crc32c = await createCrc32c();
  return {
    update: (chunk) => {
      crc32c.update(chunk);
      md5.update(chunk);
    },
    digest: () => ({ crc32c: crc32c.base64(), md5Hash: md5.copy().digest('base64') }),
  };
}
