// Packs a dump in one pass: counts the rows of each table, hashes, compresses, encrypts when there are recipients, and
// writes to a file that root opened.
// The runner signs what this process says, so it has an account of its own and can open no file and no socket.
import { createWriteStream, writeSync } from 'node:fs';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { openArchiveReader } from '#shared/backup/archive/decode.ts';
import { messageOf } from '#shared/errors.ts';
import { createMeter, createObjectMeter } from '#shared/kit/meter.ts';
import { parseOptions } from '#shared/options.ts';
import { encryptTo } from './encrypt.ts';
import { PIECE_BYTES, readPieces } from './pieces.ts';
import { EXIT_NO_ROOM, LOCAL_FD, type PackResult, READY, RESULT_FD } from './protocol.ts';

const ZSTD_LEVEL = 3;
class NoRoom extends Error {}

function passThrough(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done: TransformCallback) => {
      try {
        look(chunk);
        done(null, chunk);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}

async function pack(maxBytes: number, recipients: readonly string[]): Promise<PackResult> {
  const [content, plain] = [createMeter(), createMeter()];
  const stored = await createObjectMeter();
  const reader = openArchiveReader();
  async function* observed(): AsyncGenerator<Buffer> {
    for await (const chunk of readPieces(process.stdin)) {
      content.update(chunk);
      await reader.take(chunk);
      yield chunk;
    }
  }
  await pipeline(
    observed,
    createZstdCompress({
      chunkSize: PIECE_BYTES,
      params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
    }),
    async function* (compressed: AsyncIterable<Buffer>) {
      yield* recipients.length === 0 ? compressed : encryptTo(recipients, compressed, plain);
    },
    passThrough((chunk) => {
      if (stored.bytes() + chunk.length > maxBytes) throw new NoRoom(`more than ${maxBytes} bytes`);
      stored.update(chunk);
    }),
    createWriteStream('', { fd: LOCAL_FD, autoClose: true }),
  );
  const { tables } = await reader.end();
  const encrypted =
    recipients.length === 0 ? {} : { plain: { bytes: plain.bytes(), sha256: plain.sha256() } };
  return {
    ...stored.result(),
    contentBytes: content.bytes(),
    contentSha256: content.sha256(),
    ...encrypted,
    tables,
  };
}

const USAGE = 'usage: backup-pack --max-bytes N [--recipient age1…]';
const OPTIONS = {
  options: { 'max-bytes': { type: 'string' }, recipient: { type: 'string', multiple: true } },
} as const;

// Made while this process can still open descriptors.
for (const stream of [process.stdin, process.stderr]) stream.on('error', () => undefined);
try {
  const { values } = parseOptions(OPTIONS, USAGE);
  const maxBytes = Number(values['max-bytes']);
  if (!Number.isSafeInteger(maxBytes)) throw new Error(USAGE);
  writeSync(RESULT_FD, READY);
  const result = await pack(maxBytes, values.recipient ?? []);
  writeSync(RESULT_FD, `${JSON.stringify(result)}\n`);
  process.exit(0);
} catch (error) {
  console.error(messageOf(error));
  process.exit(error instanceof NoRoom ? EXIT_NO_ROOM : 1);
}
