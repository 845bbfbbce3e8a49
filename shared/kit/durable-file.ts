// Files that are there after a power cut, whole or not at all: written beside, synced, renamed, and the directory synced too.
// A process that does one thing at a time uses the forms that block; a server uses the others.
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Does something with an open file and returns when its bytes are on the disk. */
function withSynced(file: string, flags: string, mode: number, work: (fd: number) => void): void {
  const fd = openSync(file, flags, mode);
  try {
    work(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a whole file with exactly this mode, whatever the umask. */
export function writeDurably(file: string, content: string | Uint8Array, mode: number): void {
  const beside = `${file}.part`;
  withSynced(beside, 'w', mode, (fd) => {
    fchmodSync(fd, mode);
    // Not writeSync: a disk that is nearly full takes a part, and that is no error.
    writeFileSync(fd, content);
  });
  renameDurably(beside, file);
}

/** Renames and returns when the name is on the disk. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  withSynced(dirname(to), 'r', 0, () => undefined);
}

/** Appends a line and returns when it is on the disk. */
export function appendDurably(file: string, line: string, mode: number): void {
  withSynced(file, 'a', mode, (fd) => writeFileSync(fd, `${line}\n`));
}

/** Writes a new file, for its owner alone. Throws when there is one. */
export async function createDurableFile(file: string, content: string | Uint8Array): Promise<void> {
  const opened = await open(file, 'wx', 0o600);
  try {
    await opened.writeFile(content);
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** Replaces `to` by a file whose bytes are on the disk already. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}

/** Returns when the names in a directory are on the disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
