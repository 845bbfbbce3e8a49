import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '#functions/store/migrate.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

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
