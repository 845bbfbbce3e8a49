import { expect, test } from 'vitest';
import { nameFromBytes } from '#shared/backup/name-bytes.ts';

test.each<[bytes: Buffer, name: string]>([
  [Buffer.from('orders'), 'orders'],
  [Buffer.from('café 日本語 🎈'), 'café 日本語 🎈'],
  [Buffer.from('a\u2028b\nc'), 'a\u2028b\nc'],
  [Buffer.from('one \\ backslash'), 'one \\ backslash'],
  [Buffer.from('caf\xe9', 'latin1'), 'caf\\xe9'],
  [Buffer.from('caf\xe8', 'latin1'), 'caf\\xe8'],
  [Buffer.from('caf\\xe9'), 'caf\\\\xe9'],
  [Buffer.from('two \\\\'), 'two \\\\\\\\'],
  [Buffer.from([0xef, 0xbb, 0xbf, 0x61]), '\ufeffa'],
  [Buffer.from([0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf5]), '\\xc0\\xaf\\xed\\xa0\\x80\\xf5'],
  [Buffer.from([0xc3, 0xa9, 0xe9, 0x5c]), 'é\\xe9\\\\'],
])('reads %j as %j', (bytes, name) => {
  expect(nameFromBytes(bytes)).toBe(name);
});

test('no two names become one', () => {
  const alphabet = [0x5c, 0x78, 0x65, 0x39, 0xe9, 0xc3, 0xa9];
  const seen = new Map<string, string>();
  const visit = (bytes: number[]): void => {
    const name = nameFromBytes(Uint8Array.from(bytes));
    const hex = Buffer.from(bytes).toString('hex');
    expect(seen.get(name) ?? hex).toBe(hex);
    seen.set(name, hex);
    if (bytes.length < 5) for (const byte of alphabet) visit([...bytes, byte]);
  };
  visit([]);
  expect(seen.size).toBe((7 ** 6 - 1) / 6);
});
