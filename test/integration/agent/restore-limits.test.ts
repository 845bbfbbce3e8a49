// What PostgreSQL would refuse in the middle of a restore is found before anything stops.
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { serverAccount } from '#local/demo/postgres/programs.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

const ROLES = 'CREATE ROLE clerk; CREATE ROLE reader; CREATE ROLE was_super SUPERUSER';
/** A superuser made all of it, and gave some of it to an ordinary role. */
const CONTENT = `CREATE SCHEMA app; CREATE SCHEMA admin; CREATE EXTENSION postgres_fdw; GRANT USAGE ON SCHEMA admin TO clerk;
CREATE TABLE app.people (id integer PRIMARY KEY); INSERT INTO app.people VALUES (1), (2); ALTER TABLE app.people OWNER TO clerk;
CREATE FUNCTION app.proof(integer) RETURNS integer LANGUAGE sql LEAKPROOF AS 'SELECT 1'; ALTER FUNCTION app.proof OWNER TO clerk;
CREATE FUNCTION app.plus(integer, integer) RETURNS integer LANGUAGE internal AS 'int4pl'; ALTER FUNCTION app.plus OWNER TO clerk;
CREATE FUNCTION app.planned(integer) RETURNS SETOF integer LANGUAGE sql SUPPORT generate_series_int4_support AS 'SELECT 1';
ALTER FUNCTION app.planned OWNER TO clerk;
CREATE PROCEDURE app.quiet() LANGUAGE sql SET search_path TO app SET log_min_messages TO error AS 'SELECT 1'; ALTER PROCEDURE app.quiet OWNER TO clerk;
CREATE AGGREGATE app.mean (bigint) (SFUNC = int8_avg_accum, STYPE = internal, FINALFUNC = numeric_poly_avg); ALTER AGGREGATE app.mean (bigint) OWNER TO clerk;
CREATE TABLE admin.parent (a integer, b integer); CREATE TABLE app.child (c integer) INHERITS (admin.parent); ALTER TABLE app.child OWNER TO clerk;
CREATE STATISTICS app.together ON a, b FROM admin.parent; ALTER STATISTICS app.together OWNER TO clerk;
CREATE FUNCTION admin.valid(text[], oid) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'; CREATE FOREIGN DATA WRAPPER scripted VALIDATOR admin.valid;
CREATE FUNCTION app.sham(text[], oid DEFAULT (length('
    LANGUAGE c
'::text))::oid) RETURNS void LANGUAGE plpgsql AS 'BEGIN CREATE ROLE stolen; END'; ALTER FUNCTION app.sham OWNER TO clerk;
CREATE FOREIGN DATA WRAPPER sham VALIDATOR app.sham OPTIONS (a 'b'); DROP ROLE stolen;
CREATE FUNCTION admin.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER former ON ddl_command_end EXECUTE FUNCTION admin.on_ddl(); ALTER EVENT TRIGGER former OWNER TO was_super;
CREATE TABLE admin.parted (id integer REFERENCES app.people) PARTITION BY RANGE (id);
CREATE DOMAIN app.low AS integer CHECK (VALUE < 10); CREATE TYPE app.pair AS (a app.low);
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE app.far (p app.pair DEFAULT '(3)'::app.pair) SERVER far;
ALTER FOREIGN TABLE app.far OWNER TO clerk;`;
/** Looks like the above, and can be restored. */
const FINE = `CREATE FUNCTION admin.compiled(text[], oid) RETURNS boolean LANGUAGE internal AS 'postgresql_fdw_validator';
CREATE FOREIGN DATA WRAPPER compiled VALIDATOR admin.compiled; CREATE FOREIGN DATA WRAPPER own VALIDATOR postgresql_fdw_validator;
CREATE SERVER near FOREIGN DATA WRAPPER compiled OPTIONS (host 'nowhere'); CREATE USER MAPPING FOR reader SERVER near OPTIONS (user 'x');
CREATE TYPE app.odd; CREATE FUNCTION admin.odd_in(cstring) RETURNS app.odd LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION admin.odd_out(app.odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE app.odd (INPUT = admin.odd_in, OUTPUT = admin.odd_out, LIKE = text); ALTER TYPE app.odd OWNER TO clerk;
CREATE TABLE app.odds (o app.odd); INSERT INTO app.odds VALUES ('odd'); ALTER TABLE app.odds OWNER TO clerk;
CREATE FUNCTION admin.guess(internal, oid, internal, integer) RETURNS double precision LANGUAGE internal STABLE STRICT AS 'eqsel';
CREATE OPERATOR app.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq, RESTRICT = admin.guess); ALTER OPERATOR app.=== (integer, integer) OWNER TO clerk;
CREATE FUNCTION app.as_clerk() RETURNS integer LANGUAGE sql SET role TO clerk AS 'SELECT 1'; ALTER FUNCTION app.as_clerk OWNER TO clerk;
CREATE FUNCTION admin.proof(integer) RETURNS integer LANGUAGE sql LEAKPROOF AS 'SELECT 1';
CREATE FUNCTION app.honest(text DEFAULT '
    LANGUAGE c LEAKPROOF') RETURNS integer LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION app.honest OWNER TO clerk;
CREATE FOREIGN TABLE app.told (a integer) SERVER far OPTIONS (table_name 'PARTITION BY GENERATED ALWAYS AS ('); ALTER FOREIGN TABLE app.told OWNER TO clerk;
CREATE POLICY p ON app.people TO reader USING (id > 0); GRANT SELECT ON app.people TO reader WITH GRANT OPTION;`;

const Result = z.object({ refused: z.array(z.object({ what: z.string(), why: z.string() })) });

/** Refusals that name no object, because statements of ours were refused. */
const NAMELESS: Readonly<Record<string, string>> = {
  'a foreign key ERROR:  cannot add NOT VALID foreign key on partitioned table "parted" referencing relation "people"':
    'FK CONSTRAINT admin.parted parted_id_fkey',
  'a right or an owner ERROR:  permission denied to change owner of event trigger "former"':
    'EVENT TRIGGER former',
};

const OF_EVERY_OWNER = [
  'FOREIGN DATA WRAPPER scripted',
  'FOREIGN DATA WRAPPER sham',
  'FOREIGN TABLE app.far',
  'EVENT TRIGGER former',
];
const LIMITS = [
  'FUNCTION app.planned(integer)',
  'FUNCTION app.plus(integer, integer)',
  'FUNCTION app.proof(integer)',
  'PROCEDURE app.quiet()',
  'AGGREGATE app.mean(bigint)',
  'FOREIGN DATA WRAPPER scripted',
  'FOREIGN DATA WRAPPER sham',
  'TABLE app.child',
  'FOREIGN TABLE app.far',
  'STATISTICS app.together',
  'EVENT TRIGGER former',
  'FK CONSTRAINT admin.parted parted_id_fkey',
];

describe.skipIf(!canLab)('what a restore can not make (need root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let place: string;

  beforeAll(async () => {
    lab = await openHostLab(['shop', 'moved']);
    place = mkdtempSync(join(tmpdir(), 'lamplighter-space-'));
    const account = serverAccount();
    if (account) chownSync(place, account.uid, account.gid);
    const { query } = lab.cluster;
    await query('postgres', ROLES);
    for (const name of ['shop', 'moved']) await query('postgres', `CREATE DATABASE ${name}`);
    await query('shop', `${CONTENT}\n${FINE}`);
    await query('postgres', 'ALTER ROLE was_super NOSUPERUSER');
  }, SLOW_MS);
  afterAll(async () => {
    await lab?.close();
    if (place) rmSync(place, { recursive: true, force: true });
  });

  async function backUp(database: string): Promise<string> {
    const ending = await lab.start('backup.run', { database, localRetentionDays: 30 }).ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    return BackupSummary.parse(ending.result).backupId;
  }

  test('is refused before anything stops, is what PostgreSQL refuses, and is nothing once its owner is trusted', async () => {
    const { query } = lab.cluster;
    const backupId = await backUp('shop');
    const spec = { backupId, database: 'shop', confirm: 'shop', services: [] };
    const stopped = await lab.start('restore.run', spec).ended();
    expect(stopped).toMatchObject({
      state: 'failed',
      code: 'superuser-object',
      message: expect.stringContaining('app.planned'),
      hint: expect.stringContaining('--keep-going'),
    });
    expect(stopped.steps.map(({ name }) => name)).toEqual(['check-backup']);

    expect(await refusedBy(spec)).toEqual(LIMITS);
    expect(await query('postgres', "SELECT rolname FROM pg_roles WHERE rolname = 'stolen'")).toEqual([]);
    const facts = `SELECT (SELECT count(*) FROM app.people) AS people, (SELECT o::text FROM app.odds) AS odd,
      (SELECT count(*) FROM pg_foreign_server) AS servers, to_regoperator('app.===(integer, integer)')::text AS operator`;
    expect(await query('shop', facts)).toEqual([
      { people: '2', odd: 'odd', servers: '2', operator: 'app.===(integer,integer)' },
    ]);

    await query('postgres', 'ALTER ROLE clerk CREATEROLE');
    expect(await refusedBy(spec)).toEqual(OF_EVERY_OWNER);
    await query('postgres', 'ALTER ROLE clerk NOCREATEROLE');
  });

  /** What a restore that keeps going found beforehand. PostgreSQL must have refused exactly that, and what depends on it. */
  async function refusedBy(spec: Record<string, unknown>): Promise<string[]> {
    const run = lab.start('restore.run', { ...spec, onRefused: 'keep-going' });
    const ending = await run.ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    const { refused } = Result.parse(ending.result);
    const found = run.steps().flatMap(({ phase, detail = '' }) => {
      const what = phase === 'note' ? /^can't be restored: (.+?): /.exec(detail)?.[1] : undefined;
      return what === undefined ? [] : [what];
    });
    const names = refused.flatMap(({ what, why }) => NAMELESS[`${what} ${why}`] ?? what);
    expect(names.filter((what) => !what.startsWith('TABLE DATA ')).toSorted()).toEqual(found.toSorted());
    return found;
  }

  test('an extension, tablespace or role that the server lacks is told before anything stops', async () => {
    const { query } = lab.cluster;
    const space = `CREATE TABLESPACE elsewhere LOCATION '${place}'`;
    await query('postgres', 'CREATE ROLE auditor');
    await query('postgres', space);
    await query(
      'moved',
      `CREATE TABLE t (id integer) TABLESPACE elsewhere; INSERT INTO t VALUES (1); GRANT SELECT ON t TO auditor;
       CREATE TABLE u (id integer); CREATE POLICY p ON u TO reader, auditor;`,
    );
    const backupId = await backUp('moved');
    await query('moved', 'DROP TABLE t, u');
    await query('postgres', 'DROP TABLESPACE elsewhere');
    await query('postgres', 'DROP ROLE auditor');
    const spec = { backupId, database: 'moved', confirm: 'moved', services: [] };
    for (const [code, mend] of [
      ['missing-tablespace', space],
      ['missing-role', 'SELECT 1'],
    ] as const) {
      const ending = await lab.start('restore.run', spec).ended();
      expect(ending).toMatchObject({
        state: 'failed',
        code,
        hint: expect.stringContaining('again'),
      });
      expect(ending.steps.map(({ name }) => name)).toEqual(['check-backup']);
      await query('postgres', mend);
    }
    const went = await lab.start('restore.run', { ...spec, onRefused: 'keep-going' }).ended();
    expect(went, JSON.stringify(went)).toMatchObject({ state: 'succeeded' });
    expect(
      Result.parse(went.result)
        .refused.map(({ what }) => what)
        .toSorted(),
    ).toEqual(['ACL public.TABLE t', 'POLICY public.u p']);
    expect(await query('moved', 'SELECT id FROM t')).toEqual([{ id: 1 }]);
  });
});
