// Counts and hashes what passes.
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { createCrc32c } from '#shared/backup/crc32c.ts';

export interface Meter {
  stream: Transform;
  result(): { bytes: number; sha256: string; crc32c: string };
}

/** A pass-through that knows afterwards how much went through and what its hashes are. */
export function createMeter(options: { withCrc32c: boolean }): Meter {
  const sha256 = createHash('sha256');
  const crc32c = createCrc32c();
  let bytes = 0;
  const stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      sha256.update(chunk);
      if (options.withCrc32c) crc32c.update(chunk);
      done(null, chunk);
    },
  });
  return {
    stream,
    result: () => ({
      bytes,
      sha256: sha256.digest('hex'),
      crc32c: options.withCrc32c ? crc32c.digest() : '',
    }),
  };
}
