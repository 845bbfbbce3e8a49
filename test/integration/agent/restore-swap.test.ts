// Puts the new database in the old one's place, and back: after any earlier state, and when it is repeated.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { restoreNames, swapBack, swapDatabases } from '#agent/operations/restore/database.ts';
import { canLab } from '#test/fixtures/host-lab.ts';
import { type SocketCluster, startSocketCluster } from '#test/fixtures/socket-cluster.ts';

const NAMES = { ...restoreNames('shop', '0197c2aa-0000-7000-8000-0000001f3a9c'), wasClosed: false };
const CLOSED = { ...NAMES, wasClosed: true };

describe.skipIf(!canLab)('the swap of a restore (needs root on Linux)', () => {
  let cluster: SocketCluster;

  beforeAll(async () => {
    cluster = await startSocketCluster();
  });
  afterAll(async () => {
    await cluster?.close();
  });
  beforeEach(async () => {
    for (const name of [NAMES.database, NAMES.fresh, NAMES.kept])
      await sql(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    for (const name of [NAMES.database, NAMES.fresh]) {
      await sql(`CREATE DATABASE "${name}"`);
      await sql(`COMMENT ON DATABASE "${name}" IS '${name === NAMES.fresh ? 'new' : 'old'}'`);
    }
  });

  const sql = (text: string) => cluster.query('postgres', text);

  /** Databases by name: which database it is, and whether it accepts sessions. */
  async function standing(): Promise<Record<string, string>> {
    const rows = await sql(
      `SELECT datname, shobj_description(oid, 'pg_database') AS which, datallowconn FROM pg_database
       WHERE datname LIKE 'shop%' ORDER BY datname`,
    );
    return Object.fromEntries(
      rows.map(({ datname, which, datallowconn }) => [
        datname,
        `${String(which)}${datallowconn ? '' : ', closed'}`,
      ]),
    );
  }

  test('keeps the old one, open, under its other name', async () => {
    await swapDatabases(cluster, NAMES);
    expect(await standing()).toEqual({ [NAMES.database]: 'new', [NAMES.kept]: 'old' });
  });

  test.each([1, 2])('is taken back when it is asked for %d times', async (times) => {
    await swapDatabases(cluster, NAMES);
    for (let time = 0; time < times; time++) await swapBack(cluster, NAMES);
    expect(await standing()).toMatchObject({ [NAMES.database]: 'old' });
    expect(Object.keys(await standing())).not.toContain(NAMES.kept);
  });

  test('is taken back over a session that holds the new one', async () => {
    await swapDatabases(cluster, NAMES);
    const held = cluster.query(NAMES.database, 'SELECT pg_sleep(60)').catch((error: Error) => error.message);
    await expect
      .poll(() => sql(`SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`))
      .toHaveLength(1);
    await swapBack(cluster, NAMES);
    expect(await held).toContain('terminating connection');
    expect(await standing()).toMatchObject({ [NAMES.database]: 'old' });
  });

  test('that was killed before its renames leaves the old one open again', async () => {
    await sql(`ALTER DATABASE "${NAMES.database}" ALLOW_CONNECTIONS false`);
    await swapBack(cluster, NAMES);
    expect(await standing()).toMatchObject({ [NAMES.database]: 'old', [NAMES.fresh]: expect.any(String) });
  });

  test('that was killed before it let sessions in again is taken back, open', async () => {
    await swapDatabases(cluster, NAMES);
    for (const name of [NAMES.database, NAMES.kept])
      await sql(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
    await swapBack(cluster, NAMES);
    expect(await standing()).toMatchObject({ [NAMES.database]: 'old' });
  });

  test.each(['before its renames', 'after them'])(
    'of a database that its owner had closed, taken back %s, leaves it closed',
    async (moment) => {
      await sql(`ALTER DATABASE "${NAMES.database}" ALLOW_CONNECTIONS false`);
      if (moment === 'after them') {
        await swapDatabases(cluster, CLOSED);
        expect(await standing()).toEqual({ [NAMES.database]: 'new', [NAMES.kept]: 'old, closed' });
      }
      for (let time = 0; time < 2; time++) await swapBack(cluster, CLOSED);
      expect(await standing()).toMatchObject({ [NAMES.database]: 'old, closed' });
    },
  );
});
