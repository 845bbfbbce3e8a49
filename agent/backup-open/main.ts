// Decrypts a dump from one file that root opened to another. This process can open no file and no socket, and knows the
// key of this file alone.
import { createReadStream, createWriteStream, writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Decrypter } from 'age-encryption';
import { messageOf } from '#shared/errors.ts';
import { toWebStream } from '../backup-pack/web-stream.ts';
import { READY, READY_FD, SEALED_FD } from './protocol.ts';

const STDOUT_FD = 1;
const PIECE_BYTES = 512 * 1024;
const FILE_KEY = /^[0-9a-f]{32}$/;

async function open(): Promise<void> {
  const key = await text(process.stdin);
  if (!FILE_KEY.test(key)) throw new Error('no file key was given');
  const decrypter = new Decrypter();
  decrypter.addIdentity({ unwrapFileKey: () => Buffer.from(key, 'hex') });
  const sealed = createReadStream('', { fd: SEALED_FD, autoClose: false, highWaterMark: PIECE_BYTES });
  await pipeline(
    sealed,
    async function* (chunks: AsyncIterable<Buffer>) {
      yield* await decrypter.decrypt(toWebStream(chunks));
    },
    createWriteStream('', { fd: STDOUT_FD, autoClose: true }),
  );
}

// Made while this process can still open descriptors.
process.stdin.on('error', () => undefined);
try {
  writeSync(READY_FD, READY);
  await open();
  process.exit(0);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
