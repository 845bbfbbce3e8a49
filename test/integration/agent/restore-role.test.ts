// The roles of a restore when an earlier restore did not end: they are taken over, or refused with the next step for a person.
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { postgresAccount } from '#agent/host/postgres.ts';
import {
  dropRestoreRoles,
  HELD_ROLE,
  makeRestoreRoles,
  RESTORE_ROLE,
} from '#agent/operations/restore/role.ts';
import { canLab } from '#test/fixtures/host-lab.ts';
import { type SocketCluster, startSocketCluster } from '#test/fixtures/socket-cluster.ts';

const LEFT = 'shop_restore_1f3a9c';

describe.skipIf(!canLab)('the roles of a restore (needs root on Linux)', () => {
  let cluster: SocketCluster;

  beforeAll(async () => {
    cluster = await startSocketCluster();
  });
  afterAll(async () => {
    await cluster?.close();
  });
  afterEach(async () => {
    await sql(`DROP DATABASE IF EXISTS ${LEFT}`);
    await dropRestoreRoles(cluster);
    for (const role of [RESTORE_ROLE, HELD_ROLE]) await sql(`DROP ROLE IF EXISTS "${role}"`);
  });

  const sql = (text: string, database = 'postgres') => cluster.query(database, text);
  const make = async (password: string) => {
    // A lab's server accepts the role by its password, from any account.
    const login = { role: RESTORE_ROLE, account: await postgresAccount(), password };
    await makeRestoreRoles(cluster, login);
  };

  test('are taken over from a restore that left them, with its session, its rights and its settings', async () => {
    await make('first');
    await sql(`ALTER ROLE "${RESTORE_ROLE}" SET work_mem = '1GB'`);
    await sql(`CREATE ROLE app; GRANT app TO "${RESTORE_ROLE}"`);
    await sql(`GRANT CREATE ON DATABASE postgres TO "${RESTORE_ROLE}"`);
    const session = new pg.Client({
      host: '127.0.0.1',
      port: cluster.port,
      database: 'postgres',
      user: RESTORE_ROLE,
    });
    const ended = new Promise<Error>((resolve) => session.on('error', resolve));
    await session.connect();
    await sql(`CREATE TABLE left_behind (); ALTER TABLE left_behind OWNER TO "${HELD_ROLE}"`);
    await make('second');
    expect(
      await sql(
        `SELECT rolname, rolconfig, (SELECT count(*)::int FROM pg_auth_members WHERE member = r.oid) AS groups
         FROM pg_roles r WHERE rolname = '${RESTORE_ROLE}'`,
      ),
    ).toEqual([{ rolname: RESTORE_ROLE, rolconfig: ['lc_messages=C'], groups: 0 }]);
    expect(await sql("SELECT FROM pg_class WHERE relname = 'left_behind'")).toEqual([]);
    expect((await ended).message).toContain('terminating connection');
    await sql('DROP ROLE app');
  });

  test('are refused while a database holds what they own, which is named', async () => {
    await make('first');
    await sql(`CREATE DATABASE ${LEFT}`);
    await sql(`CREATE TABLE t (); ALTER TABLE t OWNER TO "${RESTORE_ROLE}"`, LEFT);
    await expect(make('second')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(new RegExp(`in ${LEFT}$`)),
      hint: expect.stringContaining(`DROP DATABASE ${LEFT}`),
    });
    await sql(`DROP DATABASE ${LEFT}`);
    await expect(make('third')).resolves.toBeUndefined();
  });

  test('are refused while they have a right in a database of the product, which nobody is told to drop', async () => {
    await make('first');
    await sql('CREATE DATABASE shop');
    await sql(`CREATE TABLE t (); GRANT SELECT ON t TO "${RESTORE_ROLE}"`, 'shop');
    const refused = expect.objectContaining({
      message: expect.stringMatching(/in shop$/),
      hint: expect.stringMatching(
        /^Connect to shop, .*DROP OWNED BY "lamplighter-restore", "lamplighter-restore-held"\./,
      ),
    });
    await expect(make('second')).rejects.toEqual(refused);
    await sql(`DROP OWNED BY "${RESTORE_ROLE}", "${HELD_ROLE}"`, 'shop');
    await expect(make('third')).resolves.toBeUndefined();
    await sql('DROP DATABASE shop');
  });

  test('are refused where a role of that name is not ours, which is left alone', async () => {
    await sql(`CREATE ROLE "${HELD_ROLE}"`);
    await expect(make('first')).rejects.toThrow(
      `make role ${HELD_ROLE}: there is one that Lamplighter did not make`,
    );
    expect(await sql(`SELECT rolname FROM pg_roles WHERE rolname = '${HELD_ROLE}'`)).toHaveLength(1);
  });
});
