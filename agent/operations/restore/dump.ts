// The dump that is restored: one file of root's, opened once, checked through that very descriptor, and decoded from it.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, read } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createZstdDecompress } from 'node:zlib';
import { type Listing, readListing } from '#shared/backup/archive/listing.ts';
import { ownAccount } from '../../host/accounts.ts';
import { corruptBackup } from '../backup/read-manifest.ts';

const PIECE_BYTES = 512 * 1024;
const readAt = promisify(read);
const OTHERS_WRITE = 0o022;

/** A file whose bytes were checked, held open. */
export interface CheckedFile {
  fd: number;
  /** The file from its beginning, another descriptor of the same file each time; the caller closes it. */
  reopen(): number;
  /** Calling it twice does no harm. */
  close(): void;
}

export interface OpenDump extends Listing, Omit<CheckedFile, 'fd'> {
  /** Header and list, decompressed: all that is needed of the dump where no rows are restored. */
  head: Buffer;
}

/** What a descriptor's file holds, from its beginning; the descriptor's own place in it stays where it is. */
async function* readPieces(fd: number): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const { bytesRead } = await readAt(fd, piece, 0, PIECE_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

async function readHead(fd: number): Promise<Listing & { head: Buffer }> {
  const pieces: Buffer[] = [];
  const stored = Readable.from(readPieces(fd));
  const content = stored.pipe(createZstdDecompress({ chunkSize: PIECE_BYTES }));
  stored.on('error', (error) => content.destroy(error));
  async function* kept(): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      const piece: Buffer = chunk;
      pieces.push(piece);
      yield piece;
    }
  }
  try {
    const listing = await readListing(kept());
    return { ...listing, head: Buffer.concat(pieces).subarray(0, listing.headBytes) };
  } finally {
    stored.destroy();
    content.destroy();
  }
}

/**
 * Opens a file and holds every byte against its signed manifest before any of it is used. Throws `corrupt` when it is
 * another one, or when somebody else than root could change it meanwhile.
 */
export async function openChecked(file: string, sha256: string): Promise<CheckedFile> {
  const fd = openSync(file, 'r');
  try {
    const { uid, mode, dev, ino } = fstatSync(fd);
    if (uid !== ownAccount().uid || (mode & OTHERS_WRITE) !== 0)
      throw corruptBackup(`check ${file}`, 'others than root can write to it');
    const hash = createHash('sha256');
    for await (const piece of readPieces(fd)) hash.update(piece);
    if (hash.digest('hex') !== sha256)
      throw corruptBackup(`check ${file}`, 'its SHA-256 differs from the one in the manifest');
    let isOpen = true;
    return {
      fd,
      reopen: () => {
        const again = openSync(file, 'r');
        const now = fstatSync(again);
        if (now.dev === dev && now.ino === ino) return again;
        closeSync(again);
        throw corruptBackup(`check ${file}`, 'the file was replaced after it was checked');
      },
      close: () => {
        if (isOpen) closeSync(fd);
        isOpen = false;
      },
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Opens a dump, checked as `openChecked` does, and reads its list. */
export async function openDump(file: string, sha256: string): Promise<OpenDump> {
  const { fd, reopen, close } = await openChecked(file, sha256);
  try {
    return { ...(await readHead(fd)), reopen, close };
  } catch (error) {
    close();
    throw error;
  }
}
