import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dropDatabase } from '#agent/operations/restore/database.ts';
import { canLab } from '#test/fixtures/host-lab.ts';
import { type SocketCluster, startSocketCluster } from '#test/fixtures/socket-cluster.ts';

describe.skipIf(!canLab)('a session in a database that is dropped (needs root on Linux)', () => {
  let cluster: SocketCluster;

  beforeAll(async () => {
    cluster = await startSocketCluster();
    await cluster.query('postgres', 'CREATE DATABASE busy');
  });
  afterAll(async () => {
    await cluster?.close();
  });

  const isThere = async () =>
    (await cluster.query('postgres', "SELECT FROM pg_database WHERE datname = 'busy'")).length > 0;

  async function connect(): Promise<{ pid: number; ended: Promise<unknown> }> {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: cluster.port,
      database: 'busy',
      user: 'postgres',
    });
    const ended = new Promise((resolve) => client.once('end', resolve));
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return { pid: rows[0]?.pid ?? 0, ended };
  }

  test('one that does not end is waited for in bounded time, none comes back, and the database is dropped later', async () => {
    const session = await connect();
    process.kill(session.pid, 'SIGSTOP');
    try {
      await expect(dropDatabase(cluster, 'busy')).rejects.toThrow(/is being accessed by other users/);
      expect(await isThere()).toBe(true);
      await expect(connect()).rejects.toThrow(/is not currently accepting connections/);
    } finally {
      process.kill(session.pid, 'SIGCONT');
    }
    await session.ended;
    await dropDatabase(cluster, 'busy');
    expect(await isThere()).toBe(false);
  });
});
