import { createHash, randomBytes } from 'node:crypto';
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import { encryptTo } from '#agent/backup-pack/encrypt.ts';
import { toWebStream } from '#agent/backup-pack/web-stream.ts';
import { createMeter } from '#shared/kit/meter.ts';

const PIECE_BYTES = 512 * 1024;
const PIECES = 32;
/** The size of the few pieces that are on their way through the streams. */
const MAX_HELD_BYTES = 4 * PIECE_BYTES;

test('a stream is encrypted and decrypted in memory that does not grow with it', async () => {
  const identity = await generateIdentity();
  const plain = createMeter();
  const hash = createHash('sha256');
  let [taken, sealedBytes, opened, most] = [0, 0, 0, 0];
  async function* content(): AsyncGenerator<Buffer> {
    for (let i = 0; i < PIECES; i++) {
      taken += PIECE_BYTES;
      yield randomBytes(PIECE_BYTES);
    }
  }
  async function* sealed(): AsyncGenerator<Uint8Array> {
    const recipients = [
      await identityToRecipient(await generateIdentity()),
      await identityToRecipient(identity),
    ];
    for await (const chunk of encryptTo(recipients, content(), plain)) {
      sealedBytes += chunk.length;
      yield chunk;
    }
  }
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  for await (const chunk of await decrypter.decrypt(toWebStream(sealed()))) {
    opened += chunk.length;
    hash.update(chunk);
    most = Math.max(most, taken - opened);
  }
  expect(most).toBeLessThanOrEqual(MAX_HELD_BYTES);
  expect(opened).toBe(PIECES * PIECE_BYTES);
  expect(sealedBytes).toBeGreaterThan(opened);
  expect([plain.bytes(), plain.sha256()]).toEqual([opened, hash.digest('hex')]);
});

test('a source that fails ends the encryption with its own error', async () => {
  async function* content(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(10);
    throw new Error('the dump was cut off');
  }
  const recipients = [await identityToRecipient(await generateIdentity())];
  const encrypted = encryptTo(recipients, content(), createMeter());
  const readAll = async (): Promise<void> => {
    for await (const chunk of encrypted) expect(chunk).toBeDefined();
  };
  await expect(readAll()).rejects.toThrow('the dump was cut off');
});
