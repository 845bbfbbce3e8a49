// A restore on a disk that has no room for another database beside the one that is there.
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { needRestoreRoom } from '#agent/operations/restore/room.ts';
import { serverAccount } from '#local/demo/postgres/programs.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;
const MIB = 1024 * 1024;
/** The server's own files, twice a database, its log and the build of the agent. */
const SERVER_DISK_BYTES = 400 * MIB;
const SPACE_DISK_BYTES = 64 * MIB;
/** An archive command that accepts every file. */
const TAKE_LOG = "ALTER SYSTEM SET archive_command = '/bin/true'";

describe.skipIf(!canLab)('a restore and a full disk (needs root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let parent: string;
  let disk: string;
  let space: string;
  /** Restores of the newest backups, by database. */
  const specs = new Map<string, Record<string, unknown>>();

  function mount(name: string, bytes: number): string {
    const dir = join(parent, name);
    mkdirSync(dir);
    const args = ['-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'tmpfs', dir];
    expect(spawnSync('/usr/bin/mount', args).status).toBe(0);
    return dir;
  }

  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'lamplighter-room-'));
    chmodSync(parent, 0o755);
    disk = mount('disk', SERVER_DISK_BYTES);
    space = mount('space', SPACE_DISK_BYTES);
    const account = serverAccount();
    if (account) chownSync(space, account.uid, account.gid);
    const before = process.env.TMPDIR;
    process.env.TMPDIR = disk;
    try {
      lab = await openHostLab(['noise', 'spaced', 'spread'], { archive_mode: 'on' });
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
    const { query } = lab.cluster;
    await set(TAKE_LOG);
    await query('postgres', `CREATE TABLESPACE space LOCATION '${space}'`);
    await query('postgres', 'CREATE DATABASE noise');
    await query('postgres', 'CREATE DATABASE spaced TABLESPACE space');
    await query('postgres', 'CREATE DATABASE spread');
    await query(
      'noise',
      `CREATE TABLE t AS SELECT repeat(md5(g::text), 30) AS x FROM generate_series(1, 20000) g`,
    );
    await query('spread', 'CREATE TABLE t TABLESPACE space AS SELECT 1 AS id');
  }, SLOW_MS);
  afterAll(async () => {
    await lab?.close();
    for (const dir of [disk, space]) if (dir) spawnSync('/usr/bin/umount', [dir]);
    rmSync(parent, { recursive: true, force: true });
  });

  async function set(statement: string): Promise<void> {
    await lab.cluster.query('postgres', statement);
    await lab.cluster.query('postgres', 'SELECT pg_reload_conf()');
  }

  async function backUp(database: string): Promise<Record<string, unknown>> {
    const ending = await lab.start('backup.run', { database, localRetentionDays: 30 }).ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    const { backupId } = BackupSummary.parse(ending.result);
    return { backupId, database, confirm: database, services: [] };
  }

  /** Fills a disk until only so much is free. */
  async function withFree<T>(dir: string, freeBytes: number, work: () => Promise<T>): Promise<T> {
    const { bavail, bsize } = statfsSync(dir);
    const file = join(dir, 'of-others');
    writeFileSync(file, Buffer.alloc(bavail * bsize - freeBytes));
    try {
      return await work();
    } finally {
      rmSync(file);
    }
  }

  // The free room is more than the reserve of a tenth, and less than the reserve plus the room that the restore needs.
  test.each<[string, string, () => string, number, RegExp]>([
    [
      "the server's own disk",
      'noise',
      () => disk,
      SERVER_DISK_BYTES * 0.1 + 10 * MIB,
      /restore noise: \d\d MiB are needed under \S+\/data \((?:2|3)\d MiB in \S+, (?:2|3)\d MiB in \S+\/pg_wal\) and 40 MiB stay in reserve, 50 MiB are free/,
    ],
    [
      "the server's own disk, with room for the rows and none for their log",
      'noise',
      () => disk,
      SERVER_DISK_BYTES * 0.1 + 39 * MIB,
      /restore noise: \d\d MiB are needed under \S+\/data \(.+\) and 40 MiB stay in reserve, 79 MiB are free/,
    ],
    [
      "the disk of the database's tablespace",
      'spaced',
      () => space,
      SPACE_DISK_BYTES * 0.1 + 3 * MIB,
      /restore spaced: \d+ MiB are needed under \S+\/space and 7 MiB stay in reserve, 10 MiB are free/,
    ],
    [
      "the disk of a table's tablespace, whose reserve is used up",
      'spread',
      () => space,
      3 * MIB,
      /restore spread: 0 MiB are needed under \S+\/space and 7 MiB stay in reserve, 3 MiB are free/,
    ],
  ])('%s: refused with numbers before anything stops', async (_name, database, dir, freeBytes, fault) => {
    const spec = specs.get(database) ?? (await backUp(database));
    const ending = await withFree(dir(), freeBytes, async () => await lab.start('restore.run', spec).ended());
    expect(ending).toMatchObject({ state: 'failed', hint: expect.stringMatching(/^Free \d+ MiB under /) });
    expect(ending.message).toMatch(fault);
    expect(ending.steps.map(({ name }) => name)).toEqual(['check-backup']);
    specs.set(database, spec);
  });

  test.each(['noise', 'spaced', 'spread'])('%s is restored once there is room', async (database) => {
    const ending = await lab.start('restore.run', specs.get(database)!).ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
  });

  test.each<[string, string, string]>([
    [
      'a slot that nobody reads',
      "SELECT pg_create_physical_replication_slot('replica', true)",
      "ALTER SYSTEM SET max_slot_wal_keep_size = '48MB'",
    ],
    ['an archive without a command', "ALTER SYSTEM SET archive_command = ''", TAKE_LOG],
    ['wal_keep_size', "ALTER SYSTEM SET wal_keep_size = '4GB'", "ALTER SYSTEM SET wal_keep_size = '48MB'"],
  ])('what is kept of the log needs room too: by %s', async (_name, keeper, limit) => {
    const free = statfsSync(disk).bavail * statfsSync(disk).bsize - SERVER_DISK_BYTES * 0.1;
    const bytes = Math.floor(free * 0.7);
    const place = { database: 'noise', tablespace: 'pg_default', bytes, hasIndexes: false, others: [] };
    const outcome = async () =>
      await needRestoreRoom(lab.cluster, place).then(
        () => 'enough',
        (error: Error) => error.message,
      );
    try {
      await set("ALTER SYSTEM SET max_wal_size = '32MB'");
      await expect.poll(outcome).toBe('enough');
      await set(keeper);
      await expect.poll(outcome).toMatch(/ MiB in \S+\/pg_wal\) and 40 MiB stay in reserve/);
      await set(limit);
      await expect.poll(outcome).toBe('enough');
    } finally {
      await set('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
      await set('ALTER SYSTEM RESET ALL');
      await set(TAKE_LOG);
    }
  });
});
