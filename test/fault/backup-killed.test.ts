// The runner killed, with all that it started, in the middle of each step of a backup and a restore: whoever recovers it
// comes to a truthful end, and what that end says is what there is.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupObject } from '#shared/backup/manifest.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, type LabRun, openHostLab } from '#test/fixtures/host-lab.ts';

const ROWS = 40_000;
const BACKUP = { database: 'shop', localRetentionDays: 30 };

describe.skipIf(!canLab)('killed in the middle of a backup or a restore (needs root on Linux)', () => {
  let lab: HostLab;
  let backupId: string;

  beforeAll(async () => {
    lab = await openHostLab(['shop']);
    await lab.cluster.query('postgres', 'CREATE DATABASE shop');
    await lab.cluster.query(
      'shop',
      `CREATE TABLE orders AS SELECT g AS id, repeat(md5(g::text), 6) AS note FROM generate_series(1, ${ROWS}) g;
       CREATE INDEX ON orders (note)`,
    );
    const { result } = await lab.start('backup.run', BACKUP).ended();
    backupId = BackupSummary.parse(result).backupId;
  });
  afterAll(async () => {
    await lab?.close();
  });

  async function killIn(run: LabRun, step: string, afterMs: number): Promise<void> {
    for (let attempt = 0; attempt < 20_000; attempt++) {
      if (run.steps().some((entry) => entry.step === step && entry.phase === 'begin')) break;
      await sleep(1);
    }
    await sleep(afterMs);
    await run.kill();
  }

  async function databases(): Promise<string[]> {
    const rows = await lab.cluster.query(
      'postgres',
      `SELECT datname || CASE WHEN datallowconn THEN '' ELSE ' (closed)' END AS name FROM pg_database WHERE NOT datistemplate`,
    );
    return rows.map(({ name }) => String(name)).toSorted((a, b) => a.localeCompare(b));
  }

  async function rows(): Promise<number> {
    return Number((await lab.cluster.query('shop', 'SELECT count(*) AS n FROM orders'))[0]?.n);
  }

  test.each([
    ['prepare', 0],
    ['database', 0],
    ['database', 150],
    ['globals', 50],
    ['config', 50],
    ['manifest', 0],
    ['manifest', 60],
    ['manifest', 120],
    ['upload', 0],
    ['upload', 100],
    ['retention', 0],
  ])('a backup, in %s after %d ms', async (step, afterMs) => {
    const run = lab.start('backup.run', BACKUP);
    await killIn(run, step, afterMs);
    const ending = await run.recover().ended();
    const [files] = await lab.bucket.getFiles();
    const suffix = `-${run.commandId.slice(-6)}/manifest.json`;
    const manifests = files.filter(({ name }) => name.endsWith(suffix));
    const local = readdirSync(lab.localDir).filter((name) => name.endsWith(run.commandId.slice(-6)));
    if (ending.state === 'succeeded') {
      const { backupId: id } = BackupSummary.parse(ending.result);
      expect(manifests.map(({ name }) => name)).toEqual([backupObject('web-1', id, 'manifest.json')]);
      expect(readdirSync(join(lab.localDir, id))).toContain('manifest.json');
    } else {
      expect(ending).toMatchObject({ state: 'failed', code: 'interrupted' });
      expect([manifests.length, local]).toEqual([0, []]);
    }
  });

  const setOpen = async (isOpen: boolean): Promise<void> => {
    await lab.cluster.query('postgres', `ALTER DATABASE shop ALLOW_CONNECTIONS ${isOpen}`);
  };

  test.each<[string, number, string]>([
    ['check-backup', 0, ''],
    ['restore-roles', 0, ''],
    ['restore-roles', 40, ''],
    ['create-database', 0, ''],
    ['create-database', 60, ''],
    ['restore-database', 50, ''],
    ['restore-database', 300, ''],
    ['check-rows', 0, ''],
    ['check-rows', 40, ''],
    ['hand-over', 0, ''],
    ['hand-over', 60, ''],
    ['hand-over', 150, ''],
    ['swap', 0, ' of a closed database'],
    ['swap', 0, ''],
    ['swap', 20, ''],
    ['swap', 40, ''],
    ['swap', 60, ''],
    ['swap', 90, ''],
    ['start-services', 0, ''],
    ['clean-up', 0, ''],
  ])('a restore, in %s after %d ms%s', async (step, afterMs, closed) => {
    await lab.cluster.query('shop', 'DELETE FROM orders WHERE id <= 10');
    if (closed) await setOpen(false);
    const before = await databases();
    const terms = { backupId, database: 'shop', confirm: 'shop', services: [] };
    const run = lab.start('restore.run', terms);
    await killIn(run, step, afterMs);
    const ending = await run.recover().ended();
    const roles = await lab.cluster.query(
      'postgres',
      "SELECT FROM pg_roles WHERE rolname LIKE 'lamplighter-%'",
    );
    expect(roles).toEqual([]);
    const after = await databases();
    // What its owner had closed stays closed, whether it was put back or is kept.
    if (closed) await setOpen(true);
    if (ending.state === 'succeeded') {
      expect(await rows()).toBe(ROWS);
      const kept = `shop_before_${run.commandId.slice(-6)}${closed ? ' (closed)' : ''}`;
      const others = before.filter((name) => !/^shop(?: \(closed\))?$/.test(name));
      expect(after).toEqual([...others, 'shop', kept].toSorted((a, b) => a.localeCompare(b)));
    } else {
      expect(ending).toMatchObject({ state: 'failed', code: 'interrupted' });
      expect(ending.message).toMatch(/everything was put back/);
      expect(after).toEqual(before);
      expect(await rows()).toBeLessThan(ROWS);
    }
  });
});
