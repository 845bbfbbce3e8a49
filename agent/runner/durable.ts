// Files that must be there after a power cut: written beside, synced, renamed, and the directory synced too.
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a whole file so that it is either there in full or not at all. */
export function writeDurably(file: string, content: string | Uint8Array, mode: number): void {
  const beside = `${file}.part`;
  const fd = openSync(beside, 'w', mode);
  try {
    // Not writeSync: a disk that is nearly full takes a part, and that is no error.
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameDurably(beside, file);
}

/** Renames and returns when the name is on the disk. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/** Appends a line and returns when it is on the disk. */
export function appendDurably(file: string, line: string, mode: number): void {
  const fd = openSync(file, 'a', mode);
  try {
    writeFileSync(fd, `${line}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
