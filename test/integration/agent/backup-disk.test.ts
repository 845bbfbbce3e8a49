// A backup on a disk that is too small for it, where PostgreSQL may live too: it stops before the reserve is touched.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

const DISK_BYTES = 24 * 1024 * 1024;
const BACKUP = { database: 'noise', localRetentionDays: 30 };

describe.skipIf(!canLab)('a backup and a small disk (needs root on Linux)', () => {
  let lab: HostLab;
  let parent: string;

  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'lamplighter-disk-'));
    lab = await openHostLab(['noise']);
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

  function mount(name: string): string {
    const dir = join(parent, name);
    mkdirSync(dir);
    const args = ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0755`, 'tmpfs', dir];
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
});
