// Room on the file system of a path, as an account that is not root may use it.
import { type StatsFs, statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';

export interface DiskRoom {
  totalBytes: number;
  freeBytes: number;
}

function roomOf({ blocks, bavail, bsize }: StatsFs): DiskRoom {
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}

/** The room now. Throws when the path is not there. */
export function readRoom(path: string): DiskRoom {
  return roomOf(statfsSync(path));
}

/** The same without blocking the process while a mount does not answer. */
export async function askRoom(path: string): Promise<DiskRoom> {
  return roomOf(await statfs(path));
}
