// Takes exact counts of bytes from a stream of chunks with bounded memory. A dump is millions of small lengths: the
// decoder is a generator that runs on by itself while there are bytes, and asks for more only between chunks.
import { LamplighterError } from '#shared/errors.ts';

/** Longest piece that is taken as a whole: a name or a statement of 64 MiB is none. */
const MAX_PIECE_BYTES = 64 * 1024 * 1024;

/** What a decoder waits for: more bytes (undefined), or work to end. */
export type Wait = (() => Promise<void>) | undefined;

/** A part of the decoder. It is given the next chunk, or undefined when there is none. */
export type Decoding<T> = Generator<Wait, T, Buffer | undefined>;

export interface Cursor {
  chunk: Buffer;
  /** Where in the chunk the next byte is. */
  at: number;
  /** Bytes of the chunks before. */
  passed: number;
}

/** A cursor before the first byte. */
export function openCursor(): Cursor {
  return { chunk: Buffer.alloc(0), at: 0, passed: 0 };
}

/** How many bytes were taken. */
export function offsetOf(cursor: Cursor): number {
  return cursor.passed + cursor.at;
}

/** A fault in the dump, told with where it is. */
export function archiveFault(cursor: Cursor, detail: string): LamplighterError {
  return new LamplighterError('corrupt', `decode dump at byte ${offsetOf(cursor)}: ${detail}`);
}

/** True when there is another byte. */
export function* hasMore(cursor: Cursor): Decoding<boolean> {
  while (cursor.at >= cursor.chunk.length) {
    const next = yield undefined;
    if (!next) return false;
    cursor.passed += cursor.chunk.length;
    cursor.chunk = next;
    cursor.at = 0;
  }
  return true;
}

/** The bytes at hand, at least one and at most `count`, as a range of the chunk. */
export function* takeSome(cursor: Cursor, count: number): Decoding<number> {
  if (!(yield* hasMore(cursor))) throw archiveFault(cursor, 'it ends in the middle');
  return Math.min(count, cursor.chunk.length - cursor.at);
}

/** Exactly `count` bytes. */
export function* takeBytes(cursor: Cursor, count: number): Decoding<Buffer> {
  if (count > MAX_PIECE_BYTES) throw archiveFault(cursor, `a piece of ${count} bytes`);
  const pieces: Buffer[] = [];
  for (let left = count; left > 0; ) {
    const size = yield* takeSome(cursor, left);
    pieces.push(cursor.chunk.subarray(cursor.at, cursor.at + size));
    cursor.at += size;
    left -= size;
  }
  return pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces);
}

/** Leaves out `count` bytes without keeping them. */
export function* skipBytes(cursor: Cursor, count: number): Decoding<void> {
  for (let left = count; left > 0; ) {
    const size = yield* takeSome(cursor, left);
    cursor.at += size;
    left -= size;
  }
}

/** A decoder that is given its bytes. */
export interface DecodingRun<T> {
  /** Resolves when it can take more. The chunk must not be written to afterwards. Throws the decoder's fault. */
  take(chunk: Buffer): Promise<void>;
  /** There are no more bytes. */
  end(): Promise<T>;
}

/** Starts a decoder, which is then given chunk after chunk. */
export function startDecoding<T>(decoding: Decoding<T>): DecodingRun<T> {
  let step = decoding.next();
  const advance = async (chunk: Buffer | undefined): Promise<void> => {
    while (!step.done && step.value) {
      await step.value();
      step = decoding.next();
    }
    if (!step.done) step = decoding.next(chunk);
    while (!step.done && step.value) {
      await step.value();
      step = decoding.next();
    }
  };
  return {
    take: advance,
    end: async () => {
      while (!step.done) await advance(undefined);
      return step.value;
    },
  };
}

/** Runs a decoder over chunks to its end. */
export async function runDecoding<T>(decoding: Decoding<T>, source: AsyncIterable<Buffer>): Promise<T> {
  const run = startDecoding(decoding);
  for await (const chunk of source) await run.take(chunk);
  return await run.end();
}
