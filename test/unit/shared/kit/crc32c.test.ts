import { CRC32C } from '@google-cloud/storage';
import { expect, test } from 'vitest';
import { createCrc32c } from '#shared/kit/crc32c.ts';

test.each([
  // RFC 3720, B.4, and the check value of the CRC catalogue.
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 rising bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['the digits', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('the checksum of %s is the published one', async (_name, bytes, expected) => {
  const crc32c = await createCrc32c();
  crc32c.update(bytes);
  expect(crc32c.value()).toBe(expected);
});

test('is the same however the bytes are cut and often it is asked for, and as the storage client has it', async () => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7919) & 0xff));
  const theirs = new CRC32C();
  theirs.update(bytes);
  for (let size = 1; size < 40; size++) {
    const crc32c = await createCrc32c();
    for (let at = 0; at < bytes.length; at += size) {
      crc32c.update(bytes.subarray(at, at + size));
      crc32c.value();
    }
    expect(crc32c.base64()).toBe(theirs.toString());
  }
});

test('two at the same time do not disturb each other', async () => {
  const [a, b] = await Promise.all([createCrc32c(), createCrc32c()]);
  a.update(Buffer.from('12345'));
  b.update(Buffer.alloc(32));
  a.update(Buffer.from('6789'));
  expect([a.value(), b.value()]).toEqual([0xe3069283, 0x8a9136aa]);
});
