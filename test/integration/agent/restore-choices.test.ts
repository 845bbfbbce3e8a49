import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';
import { isLong } from '#test/fixtures/long.ts';

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

/** pg_dump writes the tables by name; the CHECK of the first reads the second, which is empty when the first is filled. */
const SHOP = `CREATE TABLE public.orders (id integer);
  CREATE TABLE public.products (id integer); INSERT INTO public.products VALUES (1);
  CREATE FUNCTION public.is_known(integer) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.products WHERE id = $1)';
  ALTER TABLE public.orders ADD CONSTRAINT known CHECK (public.is_known(id)); INSERT INTO public.orders VALUES (1);
  CREATE TABLE public.plain (id integer); INSERT INTO public.plain SELECT generate_series(1, 7);`;

const Kept = z.object({ keptAs: z.string() });

describe.skipIf(!canLab)(
  'choices and refusals of a restore (need root on Linux)',
  { timeout: SLOW_MS },
  () => {
    let lab: HostLab;
    let backupId: string;

    beforeAll(async () => {
      lab = await openHostLab(['shop', 'other', 'shut', 'fallen'], {
        max_prepared_transactions: '2',
        wal_level: 'logical',
      });
      for (const name of ['shop', 'other', 'shut', 'fallen'])
        await lab.cluster.query('postgres', `CREATE DATABASE ${name}`);
      await lab.cluster.query('shop', SHOP);
      const { result } = await lab.start('backup.run', { database: 'shop', localRetentionDays: 30 }).ended();
      backupId = BackupSummary.parse(result).backupId;
    }, SLOW_MS);
    afterAll(async () => {
      await lab?.close();
    });

    async function databases(): Promise<string[]> {
      const rows = await lab.cluster.query('postgres', 'SELECT datname FROM pg_database ORDER BY 1');
      return rows.map(({ datname }) => String(datname));
    }

    function restore(spec: Record<string, unknown> = {}) {
      return lab.start('restore.run', { backupId, database: 'shop', confirm: 'shop', services: [], ...spec });
    }

    test.each<[string, string, string, RegExp]>([
      [
        'a prepared transaction',
        "BEGIN; INSERT INTO public.plain VALUES (8); PREPARE TRANSACTION 'waiting'",
        "ROLLBACK PREPARED 'waiting'",
        /a prepared transaction holds it \(waiting\)/,
      ],
      [
        'a replication slot',
        "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')",
        "SELECT pg_drop_replication_slot('feed')",
        /a replication slot belongs to it \(feed\)/,
      ],
      [
        'a subscription',
        "CREATE SUBSCRIPTION news CONNECTION 'dbname=shop' PUBLICATION p WITH (connect = false, slot_name = NONE)",
        'DROP SUBSCRIPTION news',
        /it has a subscription \(news\)/,
      ],
    ])('%s is found before anything stops', async (_name, make, remove, fault) => {
      await lab.cluster.query('shop', make);
      const ending = await restore().ended();
      await lab.cluster.query('shop', remove);
      expect(ending.message).toMatch(fault);
      expect(ending.steps.map(({ name }) => name)).toEqual(['check-backup']);
    });

    test("another database's backup is not called corrupt", async () => {
      const ending = await restore({ database: 'other', confirm: 'other' }).ended();
      expect(ending).toMatchObject({ state: 'failed', code: 'other-database' });
    });

    test('ANALYZE that fails over a server that is down is a note, and the restore stands', async () => {
      await lab.cluster.query(
        'other',
        `CREATE EXTENSION postgres_fdw; CREATE SERVER down FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
         CREATE USER MAPPING FOR PUBLIC SERVER down OPTIONS (user 'x', password 'y');
         CREATE TABLE public.parts (id integer) PARTITION BY LIST (id); CREATE TABLE public.near PARTITION OF public.parts FOR VALUES IN (1);
         CREATE FOREIGN TABLE public.far PARTITION OF public.parts FOR VALUES IN (2) SERVER down; INSERT INTO public.near VALUES (1);`,
      );
      const backup = await lab.start('backup.run', { database: 'other', localRetentionDays: 30 }).ended();
      const id = BackupSummary.parse(backup.result).backupId;
      const run = restore({ backupId: id, database: 'other', confirm: 'other' });
      const ending = await run.ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded', result: { refused: [] } });
      const notes = run.steps().filter(({ phase }) => phase === 'note');
      expect(notes.map(({ detail }) => detail)).toEqual([
        expect.stringMatching(/^ANALYZE failed on 1 tables: ERROR: {2}could not connect to server "down"/),
      ]);
      expect(await lab.cluster.query('other', 'SELECT id FROM public.near')).toEqual([{ id: 1 }]);
    });

    test('a database that nobody can open is restored, whether it was closed or is damaged', async () => {
      const { query } = lab.cluster;
      await query('shut', 'CREATE TABLE public.t AS SELECT 1 AS id');
      const backup = await lab.start('backup.run', { database: 'shut', localRetentionDays: 30 }).ended();
      const spec = {
        backupId: BackupSummary.parse(backup.result).backupId,
        database: 'shut',
        confirm: 'shut',
      };
      const close = 'ALTER DATABASE shut ALLOW_CONNECTIONS false';
      const damage = async (): Promise<void> => {
        const [row] = await query(
          'postgres',
          `SELECT current_setting('data_directory') AS dir, oid FROM pg_database WHERE datname = 'shut'`,
        );
        rmSync(join(String(row?.dir), 'base', String(row?.oid), 'PG_VERSION'));
      };
      for (const [shut, isOpen] of [
        [() => query('postgres', close), false],
        [damage, true],
      ] as const) {
        await shut();
        await expect(query('shut', 'SELECT 1')).rejects.toThrow();
        const run = restore(spec);
        const ending = await run.ended();
        expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
        const notes = run.steps().flatMap(({ phase, detail }) => (phase === 'note' ? [detail] : []));
        expect(notes).toContainEqual(expect.stringMatching(/^could not look up the languages of shut/));
        const { keptAs } = Kept.parse(ending.result);
        const [kept] = await query(
          'postgres',
          `SELECT datallowconn FROM pg_database WHERE datname = '${keptAs}'`,
        );
        expect(kept).toEqual({ datallowconn: isOpen });
        expect(await query('shut', 'SELECT id FROM public.t')).toEqual([{ id: 1 }]);
      }
    });

    test('what PostgreSQL refuses puts everything back, unless a person chose to keep going', async () => {
      const before = await databases();
      const stopped = await restore().ended();
      expect(stopped).toMatchObject({ state: 'failed', hint: expect.stringContaining('--keep-going') });
      expect(await databases()).toEqual(before);
      const run = restore({ onRefused: 'keep-going' });
      const ending = await run.ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
      expect(ending.result).toMatchObject({
        refused: expect.arrayContaining([
          { what: 'rows', why: expect.stringMatching(/table "orders".*"known"/) },
          { what: 'rows', why: 'TABLE DATA public.orders: 0 rows, 1 in the dump' },
        ]),
      });
      const rows = await lab.cluster.query('shop', 'SELECT count(*) AS n FROM public.plain');
      expect(rows).toEqual([{ n: '7' }]);

      const kept = `shop_before_${run.commandId.slice(-6)}`;
      await lab.cluster.query('postgres', 'CREATE DATABASE shop_before_abcdef');
      const strange = await lab
        .start('restore.forget', { name: 'shop_before_abcdef', database: 'shop' })
        .ended();
      expect(strange.message).toMatch(/no restore of shop has put it aside/);
      const forgotten = await lab.start('restore.forget', { name: kept, database: 'shop' }).ended();
      expect(forgotten, JSON.stringify(forgotten)).toMatchObject({
        state: 'succeeded',
        result: { name: kept },
      });
      const left = await databases();
      expect(left).toContain('shop_before_abcdef');
      expect(left).not.toContain(kept);
    });

    // All of few rows is sent before the end shows, which is harder to see; while many are sent, pg_restore itself breaks off.
    test.each(isLong ? [1, 50_000] : [1])(
      'keep-going does not take a session that was ended in COPY of %i rows for one that went on, and says where',
      async (rows) => {
        const { query } = lab.cluster;
        await query(
          'fallen',
          `DROP TABLE IF EXISTS public.t; CREATE OR REPLACE FUNCTION public.falls() RETURNS boolean LANGUAGE sql AS 'SELECT true';
         CREATE TABLE public.t (x text CHECK (public.falls())); INSERT INTO public.t SELECT repeat(md5(g::text), 4) FROM generate_series(1, ${rows}) g;
         CREATE OR REPLACE FUNCTION public.falls() RETURNS boolean LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())';`,
        );
        const backup = await lab.start('backup.run', { database: 'fallen', localRetentionDays: 30 }).ended();
        const id = BackupSummary.parse(backup.result).backupId;
        const before = await databases();
        const spec = { backupId: id, database: 'fallen', confirm: 'fallen', onRefused: 'keep-going' };
        const ending = await restore(spec).ended();
        expect(ending).toMatchObject({
          state: 'failed',
          message: expect.stringMatching(
            /fill fallen_\w+: its session ended while pg_restore was processing data for table "public.t": .+/,
          ),
          hint: expect.stringContaining('ends its own session'),
        });
        expect(await databases()).toEqual(before);
      },
    );

    test('a host that was installed anew restores its backups once it has its former key', async () => {
      lab.installAnew('lost');
      const refused = await restore().ended();
      expect(refused).toMatchObject({
        state: 'failed',
        code: 'corrupt-backup',
        hint: expect.stringContaining('/etc/lamplighter/former-runner-keys'),
      });
      expect(refused.steps.map(({ name }) => name)).toEqual(['check-backup']);
      const { result } = await lab.start('backup.run', { database: 'other', localRetentionDays: 30 }).ended();
      const id = BackupSummary.parse(result).backupId;
      lab.installAnew('kept');
      const ending = await restore({ backupId: id, database: 'other', confirm: 'other' }).ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    });
  },
);
