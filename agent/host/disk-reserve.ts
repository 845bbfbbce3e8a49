// Room that is kept free on a disk: PostgreSQL may use the same disk, and a full disk stops it.
import { LamplighterError } from '#shared/errors.ts';
import { readRoom } from '#shared/kit/disk-room.ts';

const MAX_RESERVE_BYTES = 1024 ** 3;
const RESERVE_SHARE = 0.1;
const LOOK_EVERY_MS = 250;

export interface DiskReserve {
  /** What may be written before the reserve is touched; negative when it is touched already. */
  roomBytes(): number;
  /** The error of having no room. */
  fault(neededBytes?: number): LamplighterError;
}

/** The smaller of 1 GiB and a tenth of the file system. */
export function reserveOf(fileSystemBytes: number): number {
  return Math.min(MAX_RESERVE_BYTES, Math.floor(fileSystemBytes * RESERVE_SHARE));
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** The reserve of the file system that holds a path; `purpose` begins the error's message. */
export function openReserve(path: string, purpose: string): DiskReserve {
  const look = (): { freeBytes: number; reserveBytes: number } => {
    const { freeBytes, totalBytes } = readRoom(path);
    return { freeBytes, reserveBytes: reserveOf(totalBytes) };
  };
  return {
    roomBytes: () => {
      const { freeBytes, reserveBytes } = look();
      return freeBytes - reserveBytes;
    },
    fault: (neededBytes) => {
      const { freeBytes, reserveBytes } = look();
      const needed = neededBytes === undefined ? '' : `about ${megabytes(neededBytes)} needed, `;
      return new LamplighterError(
        'unavailable',
        `${purpose}: no room under ${path}: ${needed}${megabytes(freeBytes)} free, of which ${megabytes(reserveBytes)} stay in reserve`,
        { hint: 'Make room on the disk, or keep local backups for fewer days, and try again.' },
      );
    },
  };
}

interface ReserveWatch {
  /** Rejects as soon as the free space is less than the reserve, whichever program used it; otherwise stays pending. */
  watched: Promise<never>;
  stop(): void;
}

/** Looks several times a second while something is being written. */
function watchReserve(reserve: DiskReserve): ReserveWatch {
  let timer: NodeJS.Timeout | undefined;
  const watched = new Promise<never>((_resolve, reject) => {
    const look = (): void => {
      try {
        if (reserve.roomBytes() < 0) reject(reserve.fault());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    timer = setInterval(look, LOOK_EVERY_MS);
    look();
  });
  watched.catch(() => undefined);
  return { watched, stop: () => clearInterval(timer) };
}

/**
 * Does work that writes to disks, and ends it by its signal as soon as a reserve is touched, whoever writes. Throws the
 * reserve's fault (`unavailable`) then, whatever the work itself throws.
 */
export async function withinReserves<T>(
  reserves: readonly DiskReserve[],
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const touched = new AbortController();
  let fault: unknown;
  const watches = reserves.map((reserve) => watchReserve(reserve));
  for (const { watched } of watches) {
    watched.catch((error: unknown) => {
      fault ??= error;
      touched.abort();
    });
  }
  try {
    const result = await work(AbortSignal.any([signal, touched.signal]));
    // The work may return normally after its signal, and is incomplete all the same.
    if (fault === undefined) return result;
    throw fault;
  } catch (error) {
    throw fault ?? error;
  } finally {
    for (const { stop } of watches) stop();
  }
}
