// Bytes on their way to a file, with bounded memory. Only whole multiples of 256 KiB are written and hashed until the
// content ends: so a cut connection leaves the file and the checksums at the same, aligned place, as Google keeps it.
import type { FileHandle } from 'node:fs/promises';
import type { Checksummer } from './checksum.ts';
import { CHUNK_QUANTUM_BYTES } from './limits.ts';

export interface ContentWriter {
  write(chunk: Buffer): Promise<void>;
  /** Writes the tail as well and makes all of it durable. */
  end(): Promise<void>;
  /** Makes what is written durable. */
  checkpoint(): Promise<void>;
  /** Forgets the tail and makes the rest durable. */
  settle(): Promise<void>;
  /** Bytes in the file and in the checksums. */
  writtenBytes(): number;
}

/** Appends at `startBytes`, which the checksummer has already reached. */
export function createContentWriter(
  file: FileHandle,
  startBytes: number,
  checksummer: Checksummer,
): ContentWriter {
  let written = startBytes;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  async function flush(bytes: number): Promise<void> {
    const all = pending.length === 1 && pending[0] ? pending[0] : Buffer.concat(pending);
    const due = all.subarray(0, bytes);
    pending = bytes < all.length ? [all.subarray(bytes)] : [];
    pendingBytes = all.length - bytes;
    await writeFully(file, due, written);
    checksummer.update(due);
    written += bytes;
  }
  return {
    write: async (chunk) => {
      pending.push(chunk);
      pendingBytes += chunk.length;
      if (pendingBytes >= CHUNK_QUANTUM_BYTES)
        await flush(pendingBytes - (pendingBytes % CHUNK_QUANTUM_BYTES));
    },
    end: async () => {
      if (pendingBytes > 0) await flush(pendingBytes);
      await file.sync();
    },
    checkpoint: () => file.datasync(),
    settle: async () => {
      pending = [];
      pendingBytes = 0;
      await file.sync();
    },
    writtenBytes: () => written,
  };
}

async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
