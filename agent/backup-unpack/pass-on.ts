// Passes a decoded dump on to whoever restores it, and counts its rows on the way.
import { once } from 'node:events';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { decodeArchive } from '#shared/backup/archive/decode.ts';

/** pg_restore reads no further than it needs. */
const NOT_READ = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED']);

function isNotRead(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && NOT_READ.has(error.code);
}

/**
 * Writes the dump to `sink` as long as `sink` takes it, reads the dump to its end in any case, and gives the rows of each
 * entry by its id. Throws `corrupt` when the dump is not whole.
 */
export async function passOnAndCount(dump: Readable, sink: Writable): Promise<[number, number][]> {
  let failure: Error | undefined;
  let isOpen = true;
  const closed = new Promise<void>((resolve) => {
    sink.on('error', (error) => {
      isOpen = false;
      if (!isNotRead(error)) failure = error;
      resolve();
    });
  });
  const copy = new PassThrough();
  copy.on('error', () => undefined);
  const rowsByEntry: [number, number][] = [];
  const counting = decodeArchive(copy, (dumpId, rows) => void rowsByEntry.push([dumpId, rows]));
  const ended = counting.then(
    () => undefined,
    () => undefined,
  );
  for await (const chunk of dump) {
    const piece: Buffer = chunk;
    const waits: Promise<unknown>[] = [];
    if (isOpen && !sink.write(piece))
      waits.push(Promise.race([once(sink, 'drain').catch(() => undefined), closed]));
    if (!copy.destroyed && !copy.write(piece))
      waits.push(Promise.race([once(copy, 'drain').catch(() => undefined), ended]));
    await Promise.all(waits);
    if (failure) throw failure;
  }
  copy.end();
  await counting;
  if (isOpen) await Promise.race([new Promise<void>((resolve) => sink.end(() => resolve())), closed]);
  return rowsByEntry;
}
