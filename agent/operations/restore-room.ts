// Room on the disk: what is needed, what there is, and a reserve that is left alone, since PostgreSQL lives there too.
import { statfsSync } from 'node:fs';
import { LamplighterError } from '#shared/errors.ts';
import { type Cluster, quoteText, runSql } from '../host/postgres.ts';

const MIB = 1024 * 1024;
/** Of the file system, and at most that much. */
const RESERVE_SHARE = 0.05;
const MAX_RESERVE_BYTES = 1024 * MIB;

export interface Need {
  path: string;
  bytes: number;
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB).toLocaleString('en-US')} MiB`;
}

/** Throws `unavailable` when a file system has less room than is needed besides its reserve; says how much of each. */
export function needRoom(needs: readonly Need[], purpose: string): void {
  for (const { path, bytes } of needs) {
    const { bavail, bsize, blocks } = statfsSync(path);
    const free = bavail * bsize;
    const reserve = Math.min(blocks * bsize * RESERVE_SHARE, MAX_RESERVE_BYTES);
    if (free >= bytes + reserve) continue;
    throw new LamplighterError(
      'unavailable',
      `${purpose}: ${inMib(bytes)} are needed under ${path} and ${inMib(reserve)} stay in reserve, ${inMib(free)} are free`,
      { hint: `Free ${inMib(bytes + reserve - free)} under ${path}, or enlarge that disk, and try again.` },
    );
  }
}

/** Throws `unavailable` when there is no room for another database beside the one that is there. */
export async function needRestoreRoom(cluster: Cluster, database: string, bytes: number): Promise<void> {
  const [place] = await runSql(
    `SELECT coalesce((SELECT nullif(pg_tablespace_location(dattablespace), '') FROM pg_database
       WHERE datname = ${quoteText(database)}), current_setting('data_directory'));`,
    { cluster, database: 'postgres' },
  );
  needRoom([{ path: place ?? '/', bytes }], `restore ${database}`);
}
