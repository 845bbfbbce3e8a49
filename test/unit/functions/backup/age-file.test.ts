import { Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import { createAgeInspector } from '#functions/backup/age-file.ts';

async function seal(contentBytes: number, recipients = 1): Promise<Buffer> {
  const encrypter = new Encrypter();
  for (let i = 0; i < recipients; i++) {
    encrypter.addRecipient(await identityToRecipient(await generateIdentity()));
  }
  return Buffer.from(await encrypter.encrypt(Buffer.alloc(contentBytes, 'x')));
}

function inspect(file: Buffer, contentBytes: number, pieceBytes = 1000): string[] {
  const inspector = createAgeInspector();
  for (let at = 0; at < file.length; at += pieceBytes) inspector.take(file.subarray(at, at + pieceBytes));
  return inspector.faults(contentBytes);
}

test.each([
  [1, 1],
  [65_535, 1],
  [65_536, 1],
  [65_537, 3],
  [200_000, 2],
])('a file of %d bytes to %d recipients is as long as it should be', async (contentBytes, recipients) => {
  const file = await seal(contentBytes, recipients);
  expect(inspect(file, contentBytes)).toEqual([]);
  expect(inspect(file, contentBytes, 1)).toEqual([]);
});

test('a file that is shorter or longer than its content needs is told', async () => {
  const file = await seal(100_000);
  for (const bent of [
    file.subarray(0, -1),
    Buffer.concat([file, Buffer.alloc(1)]),
    file.subarray(0, 65_000),
  ]) {
    expect(inspect(bent, 100_000)).toEqual([
      expect.stringMatching(/^the encrypted file has \d+ bytes, \d+ for/),
    ]);
  }
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['plain text', Buffer.from('CREATE ROLE keeper;\n')],
  ['only the first line', Buffer.from('age-encryption.org/v1\n')],
  ['no recipient', Buffer.from(`age-encryption.org/v1\n--- ${'A'.repeat(43)}\n`)],
  ['no end of the header', Buffer.from(`age-encryption.org/v1\n-> X25519 abc\n${'A'.repeat(43)}\n`)],
  [
    'an endless header',
    Buffer.from(`age-encryption.org/v1\n${`-> X25519 abc\n${'A'.repeat(43)}\n`.repeat(5000)}`),
  ],
])('is no age file: %s', (_name, file) => {
  expect(inspect(file, 1)).toEqual(['not an age-encrypted file']);
});
