// A backup beside sessions that lock tables: it never holds anybody up for long, waits for nobody for long, says who was in
// the way, and runs nothing of the users'.
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canLab, type HostLab, type LabRun, openHostLab } from '#test/fixtures/host-lab.ts';
import { findOwnProcess } from '#test/fixtures/own-processes.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';

const BACKUP = { database: 'shop', localRetentionDays: 30 };
const MARK = '/tmp/lamplighter-ran-as-postgres';

describe.skipIf(!canLab)('a backup and locks (needs root on Linux)', () => {
  let lab: HostLab;

  beforeAll(async () => {
    rmSync(MARK, { force: true });
    lab = await openHostLab(['shop']);
    await lab.cluster.query('postgres', 'CREATE ROLE app LOGIN');
    await lab.cluster.query('postgres', 'CREATE DATABASE shop OWNER app');
    await lab.cluster.query(
      'shop',
      `CREATE TABLE aaa (id integer); INSERT INTO aaa SELECT generate_series(1, 3);
       CREATE TABLE zzz AS SELECT g AS id, repeat(md5(g::text), 8) AS note FROM generate_series(1, 60000) g;
       CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM aaa;
       ALTER SCHEMA public OWNER TO app; ALTER TABLE aaa OWNER TO app;`,
    );
  });
  afterAll(async () => {
    rmSync(MARK, { force: true });
    await lab?.close();
  });

  async function connect(user: string, name: string): Promise<pg.Client> {
    const { port } = lab.cluster;
    const client = new pg.Client({ host: '127.0.0.1', port, database: 'shop', user, application_name: name });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async function waitFor<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
      const found = await look();
      if (found !== undefined) return found;
      await sleep(10);
    }
    throw new Error('what was waited for did not come');
  }

  async function dumpSession(condition: string): Promise<void> {
    const sql = `SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'lamplighter-backup%' AND ${condition}`;
    await waitFor(async () => ((await lab.cluster.query('postgres', sql)).length > 0 ? true : undefined));
  }

  /** The packer of our backup, once it can open nothing any more: then the dump begins. */
  function sealedPacker(): number | undefined {
    return findOwnProcess(
      ({ words, read }) =>
        words.some((word) => word.endsWith('backup-pack.mjs')) &&
        /^Max open files +0 +0 /m.test(read('limits')),
    )?.pid;
  }

  function notes(run: LabRun): string[] {
    return run.steps().flatMap(({ phase, detail }) => (phase === 'note' && detail ? [detail] : []));
  }

  test('an ALTER that comes while it dumps, and who queues behind it, wait for seconds, and the backup is made', async () => {
    const run = lab.start('backup.run', BACKUP);
    process.kill(await waitFor(sealedPacker), 'SIGSTOP');
    // The dump now stands still, with a lock on every table, however fast the machine is.
    await dumpSession("query LIKE 'COPY %zzz%'");
    const [migration, reader] = [await connect('app', 'migration'), await connect('app', 'reader')];
    try {
      // A queue of a minute would be an outage of a minute, so the session's lock_timeout ends a statement that waits longer.
      for (const client of [migration, reader]) await client.query("SET lock_timeout = '50s'");
      const altered = migration.query('ALTER TABLE aaa ADD COLUMN y integer');
      await sleep(200);
      const { rows } = await reader.query('SELECT count(*)::int AS n FROM aaa');
      await altered;
      expect(rows).toEqual([{ n: 3 }]);
    } finally {
      await Promise.all([migration.end(), reader.end()]);
    }
    expect(await run.ended()).toMatchObject({ state: 'succeeded' });
    expect(notes(run).join('\n')).toMatch(
      /held up others for 4000 ms .* pid \d+ "migration" of app, active since 20/,
    );
  });

  test('behind an open REFRESH it gives up in the end, and says who was in the way and nothing of what they run', async () => {
    const refresher = await connect('postgres', 'refresher');
    try {
      await refresher.query('BEGIN; REFRESH MATERIALIZED VIEW totals');
      const run = lab.start('backup.run', BACKUP);
      const ending = await run.ended();
      expect(ending).toMatchObject({ state: 'failed', hint: expect.stringMatching(/^Run the backup when/) });
      expect(ending.message).toMatch(
        /given up after 4 attempts: waited 4000 ms .*pid \d+ "refresher" of postgres/,
      );
      expect([...notes(run), ending.message].join('\n')).not.toMatch(/REFRESH|totals/);
      await dumpSessionsAreGone();
    } finally {
      await refresher.end();
    }
  });

  async function dumpSessionsAreGone(): Promise<void> {
    const sql = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'lamplighter-backup%'";
    // A server process ends a moment after its client.
    await expect.poll(() => lab.cluster.query('postgres', sql)).toEqual([]);
  }

  test('a view that takes the place of a table runs no function of its owner as postgres', async () => {
    const { query } = lab.cluster;
    await query(
      'shop',
      `SET ROLE app; CREATE TABLE victim (id integer);
       CREATE FUNCTION ok() RETURNS integer LANGUAGE plpgsql AS
         $$BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch ${MARK}'''; RETURN 1; END$$;`,
    );
    // The trap works when a superuser runs it.
    await query('shop', 'SELECT ok()');
    expect(existsSync(MARK)).toBe(true);
    rmSync(MARK);
    const locker = await connect('postgres', 'locker');
    await locker.query('BEGIN; LOCK TABLE aaa IN ACCESS EXCLUSIVE MODE');
    const run = lab.start('backup.run', BACKUP);
    await dumpSession("wait_event_type = 'Lock'");
    await query(
      'shop',
      'SET ROLE app; BEGIN; ALTER TABLE victim RENAME TO former; CREATE VIEW victim AS SELECT ok() AS id; COMMIT',
    );
    await locker.end();
    const ending = await run.ended();
    expect(existsSync(MARK)).toBe(false);
    // pg_dump itself refuses the view that replaced the table that it saw, or it never saw the table.
    expect(['failed', 'succeeded']).toContain(ending.state);
    expect(await lab.start('backup.run', BACKUP).ended()).toMatchObject({ state: 'succeeded' });
    expect(existsSync(MARK)).toBe(false);
  });
});
