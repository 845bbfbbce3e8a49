// The blocks of data in a dump, in their order: rows of tables, large objects (pg_backup_custom.c: _StartData, _StartLOs).
import type { Transform } from 'node:stream';
import { createInflate, createZstdDecompress } from 'node:zlib';
import type { Contents } from './contents.ts';
import { archiveFault, type Cursor, type Decoding, takeSome } from './cursor.ts';
import { readInt, readIntAtHand } from './primitives.ts';

/** Takes a range of a piece of a block's content; must not keep the piece. */
export type TakeContent = (piece: Buffer, from: number, to: number) => void;

/** Unpacks one compressed block; what comes out goes to whoever takes it, piece by piece. */
interface Unpacker {
  write(piece: Buffer): Promise<void>;
  end(): Promise<void>;
}

function startUnpacker(compression: 'zlib' | 'zstd', cursor: Cursor, take: TakeContent): Unpacker {
  const stream: Transform & { bytesWritten?: number } =
    compression === 'zlib' ? createInflate() : createZstdDecompress();
  let given = 0;
  let failure: Error | undefined;
  const ended = new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('error', (error) => {
      failure = error;
      resolve();
    });
  });
  stream.on('data', (piece: Buffer) => take(piece, 0, piece.length));
  const check = (): void => {
    if (failure) throw archiveFault(cursor, `a compressed block: ${failure.message}`);
  };
  return {
    write: async (piece) => {
      check();
      given += piece.length;
      await Promise.race([new Promise<void>((resolve) => stream.write(piece, () => resolve())), ended]);
      check();
    },
    end: async () => {
      stream.end();
      await ended;
      check();
      if (stream.bytesWritten !== given)
        throw archiveFault(cursor, 'bytes after the end of a compressed block');
    },
  };
}

/** A block's chunks, each preceded by its length, up to a length of zero. */
export function* readChunks(contents: Contents, take: TakeContent): Decoding<void> {
  const { cursor, compression } = contents;
  const unpacker = compression === 'none' ? undefined : startUnpacker(compression, cursor, take);
  for (;;) {
    const length = readIntAtHand(contents) ?? (yield* readInt(contents));
    if (length < 0) throw archiveFault(cursor, `a chunk of ${length} bytes`);
    if (length === 0) break;
    for (let left = length; left > 0; ) {
      const size = cursor.at + left <= cursor.chunk.length ? left : yield* takeSome(cursor, left);
      const from = cursor.at;
      cursor.at += size;
      left -= size;
      if (!unpacker) take(cursor.chunk, from, from + size);
      // Waited for at once, so the piece is not overwritten meanwhile.
      else {
        const piece = cursor.chunk.subarray(from, from + size);
        yield () => unpacker.write(piece);
      }
    }
  }
  if (unpacker) yield () => unpacker.end();
}

/** Large objects, each with its oid, up to an oid of zero; gives how many. */
export function* readLargeObjects(contents: Contents): Decoding<number> {
  for (let count = 0; ; count++) {
    if ((yield* readInt(contents)) === 0) return count;
    yield* readChunks(contents, () => undefined);
  }
}
