// Room on the disk: what is needed, what there is, and a reserve that is left alone, since PostgreSQL lives there too.
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { type DiskReserve, openReserve, reserveOf } from '../host/disk-reserve.ts';
import { type Cluster, quoteText, runSql } from '../host/postgres.ts';

const MIB = 1024 * 1024;

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
    const reserve = reserveOf(blocks * bsize);
    if (free >= bytes + reserve) continue;
    throw new LamplighterError(
      'unavailable',
      `${purpose}: ${inMib(bytes)} are needed under ${path} and ${inMib(reserve)} stay in reserve, ${inMib(free)} are free`,
      { hint: `Free ${inMib(bytes + reserve - free)} under ${path}, or enlarge that disk, and try again.` },
    );
  }
}

export interface Place {
  database: string;
  /** Where the new database will be made. */
  tablespace: string;
  bytes: number;
  /** Tablespaces of single tables: how much will be in each, nobody has written down. */
  others: readonly string[];
}

/**
 * Throws `unavailable` when there is no room for another database beside the one that is there, or when the log of what is
 * written to it would find its own disk's reserve touched already. Gives the reserves that filling it must leave alone.
 */
export async function needRestoreRoom(
  cluster: Cluster,
  { database, tablespace, bytes, others }: Place,
): Promise<DiskReserve[]> {
  const named = [tablespace, ...others].map(quoteText).join(', ');
  const [data = '/', place, ...more] = await runSql(
    `SELECT current_setting('data_directory');
     SELECT coalesce(nullif(pg_tablespace_location(oid), ''), current_setting('data_directory'))
       FROM unnest(ARRAY[${named}]) WITH ORDINALITY AS o(name, n) JOIN pg_tablespace ON spcname = name ORDER BY n;`,
    { cluster, database: 'postgres' },
  );
  const purpose = `restore ${database}`;
  const needs = [
    { path: place ?? data, bytes },
    ...[join(data, 'pg_wal'), ...more].map((path) => ({ path, bytes: 0 })),
  ];
  needRoom(needs, purpose);
  return needs.map(({ path }) => openReserve(path, purpose));
}
