// The runner killed, with every process that it started, in the middle of the steps of a backup and a restore. The recovery
// ends the command truthfully: the databases and files match what its end says. `npm run test:long` runs every moment.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupObject } from '#shared/backup/manifest.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, type LabRun, openHostLab } from '#test/fixtures/host-lab.ts';
import { isLong } from '#test/fixtures/long.ts';

const ROWS = 40_000;
const BACKUP = { database: 'shop', localRetentionDays: 30 };

interface Kill {
  step: string;
  afterMs: number;
  /** A special property of the database, for the title. */
  of?: ' of a closed database';
  /** Run also without `--long`: of like moments, the one after which the recovery has most to do. */
  isUsual?: true;
}

const BACKUP_KILLS: readonly Kill[] = [
  { step: 'prepare', afterMs: 0 },
  { step: 'database', afterMs: 0 },
  { step: 'database', afterMs: 150, isUsual: true },
  { step: 'globals', afterMs: 50 },
  { step: 'config', afterMs: 50 },
  { step: 'manifest', afterMs: 0 },
  { step: 'manifest', afterMs: 60 },
  { step: 'manifest', afterMs: 120 },
  { step: 'upload', afterMs: 0 },
  { step: 'upload', afterMs: 100, isUsual: true },
  { step: 'retention', afterMs: 0 },
];
const RESTORE_KILLS: readonly Kill[] = [
  { step: 'check-backup', afterMs: 0 },
  { step: 'restore-roles', afterMs: 0 },
  { step: 'restore-roles', afterMs: 40 },
  { step: 'create-database', afterMs: 0 },
  { step: 'create-database', afterMs: 60 },
  { step: 'restore-database', afterMs: 50 },
  { step: 'restore-database', afterMs: 300, isUsual: true },
  { step: 'check-rows', afterMs: 0 },
  { step: 'check-rows', afterMs: 40 },
  { step: 'hand-over', afterMs: 0 },
  { step: 'hand-over', afterMs: 60, isUsual: true },
  { step: 'hand-over', afterMs: 150 },
  { step: 'swap', afterMs: 0, of: ' of a closed database', isUsual: true },
  { step: 'swap', afterMs: 0 },
  { step: 'swap', afterMs: 20 },
  { step: 'swap', afterMs: 40, isUsual: true },
  { step: 'swap', afterMs: 60 },
  { step: 'swap', afterMs: 90 },
  { step: 'start-services', afterMs: 0 },
  { step: 'clean-up', afterMs: 0, isUsual: true },
];

/** All of them with `--long`. */
function usual(kills: readonly Kill[]): [string, number, string][] {
  return kills
    .filter(({ isUsual = false }) => isUsual || isLong)
    .map(({ step, afterMs, of = '' }) => [step, afterMs, of]);
}

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

  test.each(usual(BACKUP_KILLS))('a backup, in %s after %d ms', async (step, afterMs) => {
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

  test.each(usual(RESTORE_KILLS))('a restore, in %s after %d ms%s', async (step, afterMs, closed) => {
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
    // A database that its owner had closed stays closed, both when it is put back and when it is kept aside.
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
