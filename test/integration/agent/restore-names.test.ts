import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

describe.skipIf(!canLab)('names in the encodings of several databases (needs root on Linux)', () => {
  let lab: HostLab;

  beforeAll(async () => {
    lab = await openHostLab(['latin']);
    await lab.cluster.query('postgres', 'CREATE ROLE "café"');
    await lab.cluster.query(
      'postgres',
      `CREATE DATABASE latin OWNER "café" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
    );
    // Written by a session of UTF-8, as the role's name was: in a LATIN1 database the same bytes are two characters.
    await lab.cluster.query('postgres', `COMMENT ON DATABASE latin IS 'thé'`);
    await lab.cluster.query(
      'latin',
      `CREATE TABLE public.menu AS SELECT generate_series(1, 3) AS id;
       DO $$ BEGIN EXECUTE format('ALTER TABLE public.menu OWNER TO %I',
         (SELECT rolname FROM pg_roles WHERE rolname LIKE 'caf%')); END $$;`,
    );
  }, SLOW_MS);
  afterAll(async () => {
    await lab?.close();
  });

  test(
    'a LATIN1 database whose owner is not ASCII is backed up and restored',
    async () => {
      const backup = await lab.start('backup.run', { database: 'latin', localRetentionDays: 30 }).ended();
      expect(backup, JSON.stringify(backup)).toMatchObject({ state: 'succeeded' });
      const { backupId } = BackupSummary.parse(backup.result);
      const spec = { backupId, database: 'latin', confirm: 'latin', services: [] };
      const ending = await lab.start('restore.run', spec).ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded', result: { refused: [] } });
      const facts = `SELECT pg_get_userbyid(datdba) AS owner, shobj_description(oid, 'pg_database') AS comment
        FROM pg_database WHERE datname = 'latin'`;
      expect(await lab.cluster.query('postgres', facts)).toEqual([{ owner: 'café', comment: 'thé' }]);
      const owned = `SELECT relowner = (SELECT datdba FROM pg_database WHERE datname = 'latin') AS is_owned
        FROM pg_class WHERE relname = 'menu'`;
      expect(await lab.cluster.query('latin', owned)).toEqual([{ is_owned: true }]);
    },
    SLOW_MS,
  );
});
