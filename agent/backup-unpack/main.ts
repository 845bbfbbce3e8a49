// Decodes a dump that is being restored, counts its rows, and passes it on to pg_restore. It reads what a database's users
// wrote, so it has an account of its own and can open no file and no socket.
import { createReadStream, writeSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { messageOf } from '#shared/errors.ts';
import { PIECE_BYTES, readPieces } from '../backup-pack/pieces.ts';
import { READY } from '../backup-pack/protocol.ts';
import { passOnAndCount } from './pass-on.ts';
import { RESULT_FD, SOURCE_FD, type UnpackResult } from './protocol.ts';

/** The runner closes stdin when this process can open nothing more. */
async function awaitSeal(): Promise<void> {
  for await (const _chunk of process.stdin);
}

async function unpack(): Promise<UnpackResult> {
  const decoded = new PassThrough();
  let contentBytes = 0;
  async function* counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      contentBytes += chunk.length;
      yield chunk;
    }
  }
  const stored = createReadStream('', { fd: SOURCE_FD, highWaterMark: PIECE_BYTES });
  const [rowsByEntry] = await Promise.all([
    passOnAndCount(decoded, process.stdout),
    pipeline(readPieces(stored), createZstdDecompress({ chunkSize: PIECE_BYTES }), counted, decoded),
  ]);
  return { contentBytes, rowsByEntry };
}

// Made while this process can still open descriptors.
for (const stream of [process.stdin, process.stdout, process.stderr]) stream.on('error', () => undefined);
try {
  writeSync(RESULT_FD, READY);
  await awaitSeal();
  const result = await unpack();
  writeSync(RESULT_FD, `${JSON.stringify(result)}\n`);
  process.exit(0);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
