import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { rootCertificates, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '#functions/store/database.ts';
import { migrate } from '#functions/store/migrate.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';
import { SELF_SIGNED } from '../check/self-signed.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a fresh copy has nothing left to migrate', async () => {
  expect(await migrate(database.db)).toEqual([]);
});

test('a transaction that throws leaves nothing behind', async () => {
  const { db } = database;
  const failed = db.transaction(async (tx) => {
    await tx.query("INSERT INTO hosts VALUES ('web-1', now(), 'test')");
    throw new Error('stop');
  });
  await expect(failed).rejects.toThrow('stop');
  expect((await db.query('SELECT * FROM hosts')).rows).toEqual([]);
});

test('a dropped connection fails its query as unavailable and the next query works', async () => {
  const { db } = database;
  const broken = db.transaction(async (tx) => {
    await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
  });
  await expect(broken).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

/** Answers PostgreSQL's request for TLS with `S` or `N`, and passes the rest on to the server without it. */
function frontWithTls(port: number, answer: 'S' | 'N', sockets: Set<Socket>): Server {
  return createServer((plain) => {
    sockets.add(plain);
    plain.on('error', () => undefined);
    plain.once('data', () => {
      plain.write(answer);
      if (answer === 'N') return;
      const secure = new TLSSocket(plain, { isServer: true, ...SELF_SIGNED });
      const server = connect(port, '127.0.0.1');
      for (const socket of [secure, server]) socket.on('error', () => plain.destroy());
      plain.on('close', () => server.destroy());
      secure.pipe(server).pipe(secure);
    });
  });
}

describe('with the authority of the server known', () => {
  const sockets = new Set<Socket>();
  const ask = async (answer: 'S' | 'N', serverCa: string): Promise<unknown> => {
    const front = frontWithTls(Number(new URL(database.url).port), answer, sockets);
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    const address = front.address();
    const url = new URL(database.url);
    url.port = typeof address === 'object' && address ? String(address.port) : '';
    const db = openDatabase(url.href, { serverCa });
    try {
      return (await db.query('SELECT 1 AS one')).rows;
    } finally {
      await db.close();
      for (const socket of sockets) socket.destroy();
      front.close();
    }
  };

  test('speaks TLS to a server of that authority, whatever its address', async () => {
    expect(await ask('S', SELF_SIGNED.cert)).toEqual([{ one: 1 }]);
  });

  test('does not speak to a server of another authority', async () => {
    await expect(ask('S', rootCertificates[0] ?? '')).rejects.toThrow(/self-signed certificate/);
  });

  test('does not speak to a server that offers no TLS', async () => {
    await expect(ask('N', SELF_SIGNED.cert)).rejects.toThrow(/does not support SSL/);
  });
});
