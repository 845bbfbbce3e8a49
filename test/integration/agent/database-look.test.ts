// What db.* tells of a real server: its sessions, its connections, and whether it answers.
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { dbConnections, dbReady, dbSessions } from '#shared/operations/db.ts';
import { Policy } from '#shared/policy/policy.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';
import { HUNG_MS, PATIENCE_MS } from '#test/fixtures/patience.ts';

const DATABASE = 'sho|p "x"';

describe.skipIf(!canLab)('a look at PostgreSQL (needs root on Linux)', { timeout: HUNG_MS }, () => {
  let lab: HostLab;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    lab = await openHostLab([DATABASE], { max_connections: '20', superuser_reserved_connections: '4' });
    await lab.cluster.query('postgres', 'CREATE DATABASE "sho|p ""x"""');
    await lab.cluster.query('postgres', `CREATE ROLE "o'dd" LOGIN`);
    await lab.cluster.query(
      DATABASE,
      'CREATE TABLE public.t (id integer); INSERT INTO public.t VALUES (1); GRANT ALL ON public.t TO PUBLIC',
    );
    // Whatever a user does to his own database must not be run, or change what is told.
    await lab.cluster.query(
      DATABASE,
      `CREATE VIEW public.pg_stat_activity AS SELECT 1 AS pid;
       ALTER DATABASE "sho|p ""x""" SET search_path = public, pg_catalog`,
    );
  }, HUNG_MS);
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.end();
  });
  afterAll(async () => {
    await lab?.close();
  });

  async function connect(name: string): Promise<pg.Client> {
    const { port } = lab.cluster;
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      database: DATABASE,
      user: "o'dd",
      application_name: name,
    });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  }

  function policyWith(cluster: object): Policy {
    const databases = { [DATABASE]: { ...lab.policy.databases[DATABASE], ...cluster, allow: ['look'] } };
    return Policy.parse({ ...lab.policy, databases });
  }

  async function ask(operation: string, cluster: object = {}): Promise<unknown> {
    const { result, message } = await lab
      .start(operation, { database: DATABASE }, policyWith(cluster))
      .ended();
    expect(message).toBeUndefined();
    return result;
  }

  test('a session that waits names the one that it waits for, and no text of a query is told', async () => {
    const holder = await connect('holder password=hunter2');
    await holder.query("BEGIN; UPDATE public.t SET id = 2 WHERE 'hunter2' <> ''");
    const waiter = await connect('waiter');
    const waiting = waiter.query("UPDATE public.t SET id = 3 WHERE 'hunter2' <> ''");
    const waits = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await vi.waitFor(
      async () => expect(await lab.cluster.query('postgres', waits)).toEqual([{ n: 1 }]),
      PATIENCE_MS,
    );
    const result = await ask('db.sessions');
    await holder.query('COMMIT');
    await waiting;
    const { sessions, leftOut } = dbSessions.result.parse(result);
    expect(
      sessions.map(({ user, clientAddress, state, waitsFor }) => [user, clientAddress, state, waitsFor]),
    ).toEqual([
      ["o'dd", '127.0.0.1', 'idle in transaction', null],
      ["o'dd", '127.0.0.1', 'active', expect.stringMatching(/^Lock: /)],
    ]);
    expect(sessions[1]?.blockedBy).toEqual([sessions[0]?.pid]);
    expect(sessions[0]?.queryMs).toBeNull();
    expect(sessions[1]?.queryMs).toBeGreaterThan(0);
    expect(leftOut).toBe(0);
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  test('connections are counted by database, user and state, against the limit', async () => {
    await connect('a');
    await connect('b');
    const { groups, ...totals } = dbConnections.result.parse(await ask('db.connections'));
    expect(groups).toContainEqual({ database: DATABASE, user: "o'dd", state: 'idle', connections: 2 });
    expect(totals).toEqual({ used: 2, maxConnections: 20, reserved: 4, leftOut: 0 });
  });

  test('when no place is left for ordinary users, it still answers', async () => {
    for (let i = 0; i < 16; i += 1) await connect(`c${i}`);
    await expect(connect('one too many')).rejects.toThrow('remaining connection slots');
    expect(dbConnections.result.parse(await ask('db.connections')).used).toBe(16);
  });

  test.each([
    ['accepting', {}],
    ['no-answer', { port: 1 }],
  ])('whether it answers: %s', async (answer, cluster) => {
    expect(dbReady.result.parse(await ask('db.ready', cluster))).toMatchObject({ answer });
  });
});
