// Room on the disk: what is needed, what is free, and a reserve that stays free, since PostgreSQL uses the same disk.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { readRoom } from '#shared/kit/disk-room.ts';
import { type DiskReserve, openReserve, reserveOf } from '../../host/disk-reserve.ts';
import { type Cluster, quoteText, runSql } from '../../host/postgres.ts';

const MIB = 1024 * 1024;

export interface Need {
  path: string;
  bytes: number;
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB).toLocaleString('en-US')} MiB`;
}

/** Needs on one file system together; the first gives its path. */
function byFileSystem(needs: readonly Need[]): (Need & { parts: Need[] })[] {
  const groups = Map.groupBy(needs, ({ path }) => statSync(path).dev);
  return [...groups.values()].map((group) => ({
    path: group[0]?.path ?? '/',
    bytes: group.reduce((sum, { bytes }) => sum + bytes, 0),
    parts: group.filter(({ bytes }) => bytes > 0),
  }));
}

function tellParts(parts: readonly Need[]): string {
  if (parts.length < 2) return '';
  return ` (${parts.map(({ path, bytes }) => `${inMib(bytes)} in ${path}`).join(', ')})`;
}

/**
 * Throws `unavailable` when a file system has less room than all needs on it take together besides its reserve; says how much
 * of each.
 */
export function needRoom(needs: readonly Need[], purpose: string): void {
  for (const { path, bytes, parts } of byFileSystem(needs)) {
    const { freeBytes: free, totalBytes } = readRoom(path);
    const reserve = reserveOf(totalBytes);
    if (free >= bytes + reserve) continue;
    throw new LamplighterError(
      'unavailable',
      `${purpose}: ${inMib(bytes)} are needed under ${path}${tellParts(parts)} and ${inMib(reserve)} stay in reserve, ${inMib(free)} are free`,
      { hint: `Free ${inMib(bytes + reserve - free)} under ${path}, or enlarge that disk, and try again.` },
    );
  }
}

/** What the server's settings say of the files that it writes besides a database's own. */
export interface WritingSettings {
  /** `max_wal_size`. */
  maxLogBytes: number;
  /** What slots, an archive or `wal_keep_size` keep of the log at most, beyond any checkpoint: 0 without them. */
  keptLogBytes: number;
  /** In `pg_wal` now: PostgreSQL uses these files again. */
  logBytes: number;
  /** `maintenance_work_mem`: a smaller index is sorted without a file. */
  sortBytes: number;
}

/** The largest index of a database, of all its bytes. */
const LARGEST_INDEX_SHARE = 0.25;

/**
 * What filling a database writes besides it. The log takes each byte of it once, and no more than `max_wal_size` lets it grow
 * by, unless something keeps what is older; the largest index is sorted in files of a quarter of the database, where its
 * memory does not hold that much. A small database thus needs little, whatever `max_wal_size` is. Both are estimates: what
 * goes beyond them, the watch on the reserves ends.
 */
export function reckonWriting(bytes: number, server: WritingSettings): { log: number; sort: number } {
  const largestIndex = Math.ceil(bytes * LARGEST_INDEX_SHARE);
  return {
    log: Math.min(bytes, Math.max(0, Math.max(server.maxLogBytes, server.keptLogBytes) - server.logBytes)),
    sort: largestIndex > server.sortBytes ? largestIndex : 0,
  };
}

/**
 * `WritingSettings.keptLogBytes`, as a query. A slot keeps what `max_slot_wal_keep_size` says (-1: everything), an archive
 * everything that it has not taken: one that fails, and one that is on and has no command. A slot that is lost, or was never
 * used, keeps nothing. `archive_library` is of PostgreSQL 15.
 */
const KEPT_LOG_BYTES = `SELECT CASE
  WHEN current_setting('archive_mode') <> 'off'
    AND (current_setting('archive_command') || coalesce(current_setting('archive_library', true), '') = ''
      OR (SELECT coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) FROM pg_stat_archiver))
    THEN 'Infinity'
  WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE NOT active AND wal_status <> 'lost')
    THEN pg_size_bytes(current_setting('wal_keep_size'))::text
  WHEN current_setting('max_slot_wal_keep_size') = '-1' THEN 'Infinity'
  ELSE greatest(pg_size_bytes(current_setting('max_slot_wal_keep_size')),
    pg_size_bytes(current_setting('wal_keep_size')))::text END;`;

export interface Place {
  database: string;
  /** Where the new database will be made. */
  tablespace: string;
  bytes: number;
  /** Whether the dump makes indexes. */
  hasIndexes: boolean;
  /** Tablespaces of single tables; the manifest does not say how much will be in each. */
  others: readonly string[];
}

/**
 * Throws `unavailable` when there is no room for another database beside the one that is there, for its log and for the
 * sorting of its indexes. Gives the reserves that filling it must leave alone.
 */
export async function needRestoreRoom(
  cluster: Cluster,
  { database, tablespace, bytes, hasIndexes, others }: Place,
): Promise<DiskReserve[]> {
  const named = [tablespace, ...others].map(quoteText).join(', ');
  const [maxLogBytes, keptLogBytes, logBytes, sortBytes, data = '/', place, ...more] = await runSql(
    `SELECT pg_size_bytes(current_setting('max_wal_size'));
     ${KEPT_LOG_BYTES}
     SELECT coalesce(sum(size), 0) FROM pg_ls_waldir();
     SELECT pg_size_bytes(current_setting('maintenance_work_mem'));
     SELECT current_setting('data_directory');
     SELECT coalesce(nullif(pg_tablespace_location(oid), ''), current_setting('data_directory'))
       FROM unnest(ARRAY[${named}]) WITH ORDINALITY AS o(name, n) JOIN pg_tablespace ON spcname = name ORDER BY n;`,
    { cluster, database: 'postgres' },
  );
  const purpose = `restore ${database}`;
  const { log, sort } = reckonWriting(bytes, {
    maxLogBytes: Number(maxLogBytes),
    keptLogBytes: Number(keptLogBytes),
    logBytes: Number(logBytes),
    sortBytes: Number(sortBytes),
  });
  const needs = [
    { path: place ?? data, bytes: bytes + (hasIndexes ? sort : 0) },
    { path: join(data, 'pg_wal'), bytes: log },
    ...more.map((path) => ({ path, bytes: 0 })),
  ];
  needRoom(needs, purpose);
  return needs.map(({ path }) => openReserve(path, purpose));
}
