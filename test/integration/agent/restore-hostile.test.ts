import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';
import { createHostileDatabase, PLACES } from '#test/fixtures/hostile-database.ts';

const WRITABLE_BY_ALL = 0o777;
/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

describe.skipIf(!canLab)('restore of hostile users (needs root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let dir: string;
  const { query } = { query: (database: string, sql: string) => lab.cluster.query(database, sql) };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lamplighter-ran-'));
    chmodSync(dir, WRITABLE_BY_ALL);
    lab = await openHostLab(['shop']);
    await createHostileDatabase(lab.cluster, 'shop', dir);
  });
  afterAll(async () => {
    await lab?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test(
    'nothing of theirs runs as a superuser, and what a superuser owns stays as it was',
    async () => {
      // A superuser filled some of its own tables above, which shows that the traps work.
      expect(readdirSync(dir)).toContain('trusted-check');
      for (const file of readdirSync(dir)) rmSync(join(dir, file));
      const backup = await lab.start('backup.run', { database: 'shop', localRetentionDays: 30 }).ended();
      const { backupId } = BackupSummary.parse(backup.result);
      const spec = { backupId, database: 'shop', confirm: 'shop', services: [] };
      const ending = await lab.start('restore.run', spec).ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({
        state: 'succeeded',
        result: { refused: [], leftOut: ['the check of the rows by FK CONSTRAINT admin.keys keys_id_fkey'] },
      });
      expect(readdirSync(dir)).toEqual([]);
      expect(await query('shop', 'SELECT admin.report() AS report')).toEqual([{ report: 'as it was' }]);
      const owners = `SELECT n.nspname || '.' || c.relname AS name, pg_get_userbyid(c.relowner) AS owner
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ('admin', 'public') AND c.relkind IN ('r', 'm', 'p', 'f') ORDER BY 1`;
      const found = await query('shop', owners);
      expect(found.filter(({ owner }) => owner === 'postgres').map(({ name }) => name)).toEqual(
        ['guarded', 'keys', 'ledger', 'literal', 'parted', 'planned', 'watched'].map(
          (name) => `admin.${name}`,
        ),
      );
      expect(new Set(found.map(({ owner }) => owner))).toEqual(new Set(['postgres', 'intruder']));
      expect(found).toContainEqual({ name: 'public.far', owner: 'intruder' });
      const open = `SELECT p.oid::regprocedure::text AS f, has_function_privilege('intruder', p.oid, 'EXECUTE') AS is_open
      FROM pg_proc p WHERE p.proname = 'exec_sql' ORDER BY 1`;
      expect(await query('shop', open)).toEqual([
        { f: 'admin.exec_sql(text)', is_open: false },
        { f: 'closed.exec_sql(text)', is_open: true },
      ]);
      const defaults = await query(
        'shop',
        "SELECT pg_get_expr(adbin, adrelid) AS d FROM pg_attrdef WHERE adrelid = 'admin.ledger'::regclass",
      );
      expect(defaults).toEqual([{ d: "'as it was'::text" }]);
      expect(
        await query(
          'shop',
          'SELECT (SELECT count(*) FROM public.seen) AS a, (SELECT count(*) FROM admin.watched) AS b',
        ),
      ).toEqual([{ a: '1', b: '1' }]);
      expect(
        await query('postgres', "SELECT rolname FROM pg_roles WHERE rolname LIKE 'lamplighter%'"),
      ).toEqual([]);
      // The event trigger is back: it fires for the next session that changes a schema.
      await query('shop', 'CREATE TABLE public.next (id integer)');
      expect(readdirSync(dir)).toEqual(['event-trigger']);
      expect(PLACES).toContain('event-trigger');
    },
    SLOW_MS,
  );
});
