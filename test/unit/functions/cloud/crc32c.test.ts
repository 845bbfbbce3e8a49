import { expect, test } from 'vitest';
import { crc32c } from '#functions/cloud/crc32c.ts';

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
test.each([
  ['"123456789"', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
])('the checksum of %s', (_name, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});
