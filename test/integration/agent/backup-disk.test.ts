// A backup or a restore on a disk that is too small for it, where PostgreSQL may live too: it leaves a reserve alone.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverAccount } from '#local/demo/postgres/programs.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

const DISK_BYTES = 24 * 1024 * 1024;
/** Room for the database twice, and for its reserve. */
const TABLESPACE_BYTES = 400 * 1024 * 1024;
const BACKUP = { database: 'noise', localRetentionDays: 30 };

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

describe.skipIf(!canLab)('a backup and a small disk (needs root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let parent: string;

  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'lamplighter-disk-'));
    chmodSync(parent, 0o755);
    lab = await openHostLab(['noise', 'tight']);
    await lab.cluster.query('postgres', 'CREATE DATABASE noise');
    await lab.cluster.query(
      'noise',
      `CREATE EXTENSION pgcrypto; CREATE TABLE noise AS
         SELECT g AS id, gen_random_bytes(1000) AS bytes FROM generate_series(1, 40000) g`,
    );
  });
  afterAll(async () => {
    await lab?.close();
    rmSync(parent, { recursive: true, force: true });
  });

  function mount(name: string, bytes = DISK_BYTES): string {
    const dir = join(parent, name);
    mkdirSync(dir);
    const args = ['-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'tmpfs', dir];
    expect(spawnSync('/usr/bin/mount', args).status).toBe(0);
    return dir;
  }

  function freeBytes(dir: string): number {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  }

  async function backUpTo(localDir: string): Promise<{ message: string; leastBytes: number }> {
    const policy = { ...lab.policy, backup: { ...lab.policy.backup!, localDir } };
    const run = lab.start('backup.run', BACKUP, policy).ended();
    let leastBytes = freeBytes(localDir);
    let isOver = false;
    const over = run.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      leastBytes = Math.min(leastBytes, freeBytes(localDir));
      await sleep(5);
    }
    const { state, message = '' } = await over;
    expect(state).toBe('failed');
    return { message, leastBytes };
  }

  test('data that does not compress is stopped while it is written', async () => {
    const dir = mount('full');
    try {
      const { message, leastBytes } = await backUpTo(dir);
      expect(message).toMatch(/back up noise: no room under .*MB free, of which 3 MB stay in reserve/);
      expect(leastBytes).toBeLessThan(DISK_BYTES / 2);
      expect(leastBytes).toBeGreaterThanOrEqual(DISK_BYTES * 0.1);
      expect(readdirSync(dir)).toEqual([]);
    } finally {
      spawnSync('/usr/bin/umount', [dir]);
    }
  });

  test('without room for what it expects, it writes nothing', async () => {
    const dir = mount('used');
    try {
      writeFileSync(join(dir, 'others'), Buffer.alloc(DISK_BYTES / 2));
      const { message, leastBytes } = await backUpTo(dir);
      expect(message).toMatch(/no room under .*about \d+ MB needed, \d+ MB free/);
      expect(leastBytes).toBeGreaterThan(DISK_BYTES * 0.45);
    } finally {
      spawnSync('/usr/bin/umount', [dir]);
    }
  });

  test('a restore is stopped while it fills the new database, and everything is put back', async () => {
    const { query } = lab.cluster;
    const dir = mount('tablespace', TABLESPACE_BYTES);
    try {
      const { uid = 0, gid = 0 } = serverAccount() ?? {};
      chownSync(dir, uid, gid);
      await query('postgres', `CREATE TABLESPACE small LOCATION '${dir}'`);
      await query('postgres', 'CREATE DATABASE tight TEMPLATE noise TABLESPACE small');
      const { result } = await lab.start('backup.run', { ...BACKUP, database: 'tight' }).ended();
      const { backupId } = BackupSummary.parse(result);
      const run = lab.start('restore.run', { backupId, database: 'tight', confirm: 'tight', services: [] });
      while (!run.steps().some(({ step, phase }) => step === 'restore-database' && phase === 'begin'))
        await sleep(1);
      // A file of another program takes a little of the reserve.
      const ballast = Math.floor(freeBytes(dir) - TABLESPACE_BYTES * 0.095);
      const filled = spawnSync('/usr/bin/fallocate', ['--length', String(ballast), join(dir, 'others')]);
      expect(filled.status).toBe(0);
      expect(await run.ended()).toMatchObject({
        state: 'failed',
        message: expect.stringMatching(
          /^restore-database: restore tight: no room under .*tablespace.* in reserve.*everything was put back/s,
        ),
      });
      const names = await query('postgres', "SELECT datname FROM pg_database WHERE datname LIKE 'tight%'");
      expect(names).toEqual([{ datname: 'tight' }]);
      expect(await query('postgres', "SELECT FROM pg_roles WHERE rolname LIKE 'lamplighter-%'")).toEqual([]);
      expect(await query('tight', 'SELECT count(*)::int AS n FROM noise')).toEqual([{ n: 40_000 }]);
    } finally {
      rmSync(join(dir, 'others'), { force: true });
      await query('postgres', 'DROP DATABASE IF EXISTS tight');
      await query('postgres', 'DROP TABLESPACE IF EXISTS small');
      spawnSync('/usr/bin/umount', [dir]);
    }
  });
});
