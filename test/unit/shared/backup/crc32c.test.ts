import { crc32c } from '@node-rs/crc32';
import { expect, test } from 'vitest';
import { createCrc32c } from '#shared/backup/crc32c.ts';

test.each([
  // RFC 3720, B.4.
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 rising bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['the digits', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('the checksum of %s is the published one', (_name, bytes, expected) => {
  const digest = createCrc32c();
  digest.update(bytes);
  expect(Buffer.from(digest.digest(), 'base64').readUInt32BE()).toBe(expected);
});

test('is the same however the bytes are cut, and as another implementation has it', () => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7919) & 0xff));
  for (let size = 1; size < 40; size++) {
    const digest = createCrc32c();
    for (let at = 0; at < bytes.length; at += size) digest.update(bytes.subarray(at, at + size));
    expect(Buffer.from(digest.digest(), 'base64').readUInt32BE()).toBe(crc32c(bytes));
  }
});
