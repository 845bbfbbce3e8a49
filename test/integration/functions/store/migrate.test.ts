import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from '#functions/store/migrate.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let dir: string;
beforeEach(async () => {
  database = await createTestDatabase();
  await database.db.query('DROP TABLE schema_migrations');
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-migrations-'));
  writeFileSync(join(dir, '001-first.sql'), 'CREATE TABLE first_one (n integer)');
  writeFileSync(
    join(dir, '002-second.sql'),
    'CREATE TABLE second_one (n integer); INSERT INTO first_one VALUES (1)',
  );
  writeFileSync(join(dir, 'notes.txt'), 'not SQL');
});
afterEach(async () => {
  rmSync(dir, { recursive: true });
  await database.drop();
});

test('applies each file once, in order, whoever else migrates at the same time', async () => {
  const outcomes = await Promise.all([1, 2, 3].map(() => migrate(database.db, dir)));
  expect(outcomes.toSorted((a, b) => b.length - a.length)).toEqual([
    ['001-first.sql', '002-second.sql'],
    [],
    [],
  ]);
  expect((await database.db.query('SELECT n FROM first_one')).rows).toEqual([{ n: 1 }]);
});

test('a file that fails leaves nothing behind', async () => {
  writeFileSync(join(dir, '003-third.sql'), 'CREATE TABLE third_one (n integer); SELECT nothing');
  await expect(migrate(database.db, dir)).rejects.toThrow('apply migration 003-third.sql');
  expect((await database.db.query("SELECT to_regclass('first_one') AS found")).rows).toEqual([
    { found: null },
  ]);
});

test('a file that was changed after it had been applied is refused', async () => {
  await migrate(database.db, dir);
  writeFileSync(join(dir, '001-first.sql'), 'CREATE TABLE other (n integer)');
  await expect(migrate(database.db, dir)).rejects.toMatchObject({ code: 'conflict' });
});
