// Stuck jobs of a real database, whose owner is hostile: what is seen and reset, and as whom.
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { jobsReset, jobsStuck } from '#shared/operations/jobs.ts';
import { Policy } from '#shared/policy/policy.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';
import { HUNG_MS, PATIENCE_MS } from '#test/fixtures/patience.ts';

const DATABASE = 'shop';
const QUOTED = '"odd ""schema"""."jo:bs; -- $x$"';
const ODD_KEY = `a'b"c\\ :x
line $$ ünï`;

const ENTRY = {
  database: DATABASE,
  schema: 'odd "schema"',
  table: 'jo:bs; -- $x$',
  key: 'the "key"',
  since: 'made at',
  stuckStatus: 'processing',
  resetTo: 'failed',
};

describe.skipIf(!canLab)('stuck jobs (need root on Linux)', { timeout: HUNG_MS }, () => {
  let lab: HostLab;
  const sql = (text: string) => lab.cluster.query(DATABASE, text);

  beforeAll(async () => {
    lab = await openHostLab([DATABASE]);
    await lab.cluster.query('postgres', 'CREATE DATABASE shop');
    await sql(`CREATE ROLE owner; CREATE ROLE app; CREATE ROLE chief SUPERUSER; CREATE SCHEMA "odd ""schema""" AUTHORIZATION owner;
      CREATE TABLE public.seen (who text, session text, super boolean); GRANT ALL ON public.seen TO PUBLIC`);
  }, HUNG_MS);
  beforeEach(async () => {
    await sql(`SET ROLE owner;
      CREATE TABLE ${QUOTED} ("the ""key""" text PRIMARY KEY, status text NOT NULL, "made at" timestamptz NOT NULL, note text);
      INSERT INTO ${QUOTED} SELECT 'job-' || h, 'processing', now() - make_interval(hours => h) FROM generate_series(0, 4) AS h;
      INSERT INTO ${QUOTED} VALUES ('done', 'done', now() - interval '9 days'), ('never', 'processing', '-infinity')`);
  });
  afterEach(async () => {
    await sql('DROP TABLE IF EXISTS public.elsewhere; TRUNCATE public.seen');
    await sql('DROP SCHEMA "odd ""schema""" CASCADE; CREATE SCHEMA "odd ""schema""" AUTHORIZATION owner');
    // Whatever the test was about.
    expect(await roles()).toEqual([]);
  });
  afterAll(async () => {
    await lab?.close();
  });

  const roles = () =>
    lab.cluster.query('postgres', "SELECT rolname FROM pg_roles WHERE rolname = 'lamplighter-jobs'");

  function start(operation: string, change: object = {}, spec: object = {}) {
    const policy = Policy.parse({ ...lab.policy, jobs: { etl: { ...ENTRY, ...change } } });
    return lab.start(operation, { jobs: 'etl', ...spec }, policy);
  }
  async function stuck(change: object = {}) {
    const { result, message } = await start('jobs.stuck', change).ended();
    return message === undefined ? jobsStuck.result.parse(result) : message;
  }
  async function reset(change: object = {}) {
    const { result, message } = await start('jobs.reset', change).ended();
    return message === undefined ? jobsReset.result.parse(result) : message;
  }
  async function statuses(): Promise<Record<string, string>> {
    const rows = await sql(`SELECT "the ""key""" AS key, status FROM ${QUOTED}`);
    return Object.fromEntries(rows.map(({ key, status }) => [String(key), String(status)]));
  }

  test('those of an hour are listed, those of two hours reset, and nothing else', async () => {
    await sql(`INSERT INTO ${QUOTED} VALUES ($k$${ODD_KEY}$k$, 'processing', now() - interval '10 days')`);
    const found = await stuck();
    expect(found).toMatchObject({ table: ENTRY.schema.concat('.', ENTRY.table), more: 0 });
    const keys = typeof found === 'string' ? found : found.rows.map(({ key }) => key);
    expect(keys).toEqual([ODD_KEY, 'job-4', 'job-3', 'job-2', 'job-1']);
    expect(await reset()).toMatchObject({
      reset: [ODD_KEY, 'job-4', 'job-3', 'job-2'].map((key) => ({ key })),
      left: [],
    });
    expect(await statuses()).toEqual({
      [ODD_KEY]: 'failed',
      'job-4': 'failed',
      'job-3': 'failed',
      'job-2': 'failed',
      'job-1': 'processing',
      'job-0': 'processing',
      done: 'done',
      never: 'processing',
    });
  });

  test('what the table runs is no superuser, and can do no more than the columns allow', async () => {
    await sql(`SET ROLE owner;
      CREATE FUNCTION "odd ""schema""".spy() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
        INSERT INTO public.seen SELECT current_user, session_user, rolsuper FROM pg_roles WHERE rolname = session_user;
        BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN EXECUTE 'ALTER ROLE owner SUPERUSER'; EXCEPTION WHEN OTHERS THEN NULL; END;
        BEGIN EXECUTE 'SET standard_conforming_strings = off'; EXCEPTION WHEN OTHERS THEN NULL; END;
        RETURN NEW; END $f$;
      CREATE TRIGGER spy BEFORE UPDATE ON ${QUOTED} FOR EACH ROW EXECUTE FUNCTION "odd ""schema""".spy()`);
    expect(await reset()).toMatchObject({ reset: [{}, {}, {}], left: [] });
    const jobs = { who: 'lamplighter-jobs', session: 'lamplighter-jobs', super: false };
    expect(await sql('SELECT DISTINCT * FROM public.seen')).toEqual([jobs]);
    expect(await sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'owner'")).toEqual([{ rolsuper: false }]);
  });

  test.each([
    [
      'a view in its place',
      `ALTER TABLE ${QUOTED} RENAME TO real; CREATE VIEW ${QUOTED} AS SELECT * FROM "odd ""schema""".real`,
      /it is a view, not a table/,
    ],
    ['rules', `CREATE RULE r AS ON UPDATE TO ${QUOTED} DO INSTEAD DELETE FROM ${QUOTED}`, /it has rules/],
    [
      'row security',
      `ALTER TABLE ${QUOTED} ENABLE ROW LEVEL SECURITY`,
      /row security, and the policy names no role/,
    ],
    [
      'no unique key',
      `ALTER TABLE ${QUOTED} DROP CONSTRAINT "jo:bs; -- $x$_pkey"`,
      /nothing makes its column the "key" unique/,
    ],
    ['no such column', `ALTER TABLE ${QUOTED} DROP COLUMN status`, /it has no column status/],
    ['no such table', `DROP TABLE ${QUOTED}`, /there is no such table/],
    [
      'text in the place of a time',
      `ALTER TABLE ${QUOTED} ALTER "made at" TYPE text`,
      /made at holds no time/,
    ],
  ])('a table with %s is refused before anything is made', async (name, change, message) => {
    await sql(`SET ROLE owner; ${change}`);
    expect(await (name === 'a view in its place' ? reset() : stuck())).toMatch(message);
  });

  test('the rights of a role are taken where the policy names one, unless it may act as a superuser', async () => {
    await sql(`SET ROLE owner; ALTER TABLE ${QUOTED} ENABLE ROW LEVEL SECURITY; GRANT USAGE ON SCHEMA "odd ""schema""" TO app;
      GRANT SELECT, UPDATE ON ${QUOTED} TO app; CREATE POLICY p ON ${QUOTED} TO app USING (status <> 'done')`);
    expect(await reset({ role: 'app' })).toMatchObject({ reset: [{}, {}, {}] });
    expect(await reset({ role: 'chief' })).toMatch(
      /take the rights of role chief: it may act as a superuser/,
    );
    expect(await reset({ role: 'nobody-here' })).toMatch(/there is no such role/);
  });

  test('a role of that name that somebody else made is left alone', async () => {
    await sql('CREATE ROLE "lamplighter-jobs"');
    expect(await stuck()).toMatch(/there is one that Lamplighter did not make/);
    expect(await roles()).toHaveLength(1);
    await sql('DROP ROLE "lamplighter-jobs"');
  });

  test('a row that a trigger keeps as it is is left, and says so', async () => {
    await sql(`SET ROLE owner;
      CREATE FUNCTION "odd ""schema""".keep() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
        IF OLD."the ""key""" = 'job-3' THEN RETURN NULL; END IF; RETURN NEW; END $f$;
      CREATE TRIGGER keep BEFORE UPDATE ON ${QUOTED} FOR EACH ROW EXECUTE FUNCTION "odd ""schema""".keep()`);
    expect(await reset()).toMatchObject({
      reset: [{ key: 'job-4' }, { key: 'job-2' }],
      left: [{ key: 'job-3', why: 'the database kept it as it is: a trigger may do that' }],
    });
  });

  async function connect(): Promise<pg.Client> {
    const { port } = lab.cluster;
    const client = new pg.Client({ host: '127.0.0.1', port, database: DATABASE, user: 'postgres' });
    await client.connect();
    return client;
  }

  test('a row that somebody writes after the plan is left, also when its status stays the same', async () => {
    const worker = await connect();
    await worker.query(`BEGIN; UPDATE ${QUOTED} SET note = 'alive' WHERE "the ""key""" = 'job-3'`);
    const run = start('jobs.reset');
    await vi.waitFor(async () => {
      const waiting =
        "SELECT FROM pg_stat_activity WHERE usename = 'lamplighter-jobs' AND wait_event_type = 'Lock'";
      expect(await lab.cluster.query('postgres', waiting)).toHaveLength(1);
    }, PATIENCE_MS);
    await worker.query('COMMIT');
    await worker.end();
    const { result } = await run.ended();
    expect(jobsReset.result.parse(result)).toMatchObject({
      reset: [{ key: 'job-4' }, { key: 'job-2' }],
      left: [{ key: 'job-3', why: 'it was written since, and has the status processing' }],
    });
    expect(await statuses()).toMatchObject({ 'job-4': 'failed', 'job-3': 'processing', 'job-2': 'failed' });
  });

  describe('killed in the middle', () => {
    /** A row that is changed first does this. */
    async function onUpdate(statement: string) {
      await sql(`SET ROLE owner;
        CREATE FUNCTION "odd ""schema""".wait() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
          ${statement}; RETURN NEW; END $f$;
        CREATE TRIGGER wait BEFORE UPDATE ON ${QUOTED} FOR EACH ROW EXECUTE FUNCTION "odd ""schema""".wait()`);
    }
    const working = () =>
      vi.waitFor(async () => {
        const active =
          "SELECT FROM pg_stat_activity WHERE usename = 'lamplighter-jobs' AND query LIKE '%UPDATE%' AND state = 'active'";
        expect(await lab.cluster.query('postgres', active)).toHaveLength(1);
      }, PATIENCE_MS);
    const phase = (run: ReturnType<typeof start>, step: string, wanted: string) =>
      vi.waitFor(
        () => expect(run.steps().some((entry) => entry.step === step && entry.phase === wanted)).toBe(true),
        { timeout: PATIENCE_MS, interval: 5 },
      );

    test('before the commit, nothing is changed, and the role is gone', async () => {
      await onUpdate('PERFORM pg_sleep(60)');
      const run = start('jobs.reset');
      await working();
      await run.kill();
      await lab.cluster.query(
        'postgres',
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lamplighter-jobs'",
      );
      const ending = await run.recover().ended();
      expect(ending).toMatchObject({ state: 'failed', code: 'interrupted' });
      expect(new Set(Object.values(await statuses()))).toEqual(new Set(['processing', 'done']));
    });

    test('cancelled after the commit, exactly its rows are put back', async () => {
      await onUpdate('PERFORM pg_advisory_xact_lock_shared(1)');
      await sql(`ALTER TABLE ${QUOTED} DISABLE TRIGGER wait; UPDATE ${QUOTED} SET status = 'failed' WHERE "the ""key""" = 'job-1';
        ALTER TABLE ${QUOTED} ENABLE TRIGGER wait`);
      const [gate, holder] = await Promise.all([connect(), connect()]);
      await gate.query('SELECT pg_advisory_lock(1)');
      const run = start('jobs.reset');
      await working();
      // Has the table from the commit on, so that the next step waits.
      const held = holder.query(`BEGIN; LOCK TABLE ${QUOTED}`);
      await vi.waitFor(async () => {
        const waiting = "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted";
        expect(await lab.cluster.query('postgres', waiting)).toHaveLength(1);
      }, PATIENCE_MS);
      await gate.end();
      await held;
      await phase(run, 'look', 'begin');
      await run.kill();
      // Somebody else begins one of them again.
      await holder.query(`UPDATE ${QUOTED} SET status = 'done' WHERE "the ""key""" = 'job-2'; COMMIT`);
      await holder.end();
      const ending = await run.recover('somebody').ended();
      expect(ending).toMatchObject({ state: 'cancelled' });
      expect(await statuses()).toMatchObject({
        'job-4': 'processing',
        'job-3': 'processing',
        'job-2': 'done',
        'job-1': 'failed',
      });
    });

    test('at any moment, a row is reset once or not at all, and the answer is true', async () => {
      for (const delayMs of [0, 60, 200]) {
        await sql(`UPDATE ${QUOTED} SET status = 'processing' WHERE status = 'failed'`);
        const run = start('jobs.reset');
        await phase(run, 'reset', 'begin');
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        await run.kill();
        const { state, result } = await run.recover().ended();
        const failed = Object.values(await statuses()).filter((status) => status === 'failed');
        if (state === 'succeeded') expect(jobsReset.result.parse(result).reset).toHaveLength(failed.length);
        else expect({ state, failed }).toEqual({ state: 'failed', failed: [] });
        expect([0, 3]).toContain(failed.length);
        expect(await roles()).toEqual([]);
      }
    });
  });
});
