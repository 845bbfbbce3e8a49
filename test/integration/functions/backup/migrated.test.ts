import { afterEach, beforeEach, expect, test } from 'vitest';
import { listBackups } from '#functions/store/backups.ts';
import { migrate } from '#functions/store/migrate.ts';
import { createDatabaseBefore } from '#test/fixtures/migrated-database.ts';
import type { TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabaseBefore('022');
});
afterEach(() => database.drop());

test.each([
  ['pending', 1, 0, 'due'],
  ['verified', 2, 2, 'verified'],
  ['verified', 3, 2, 'due'],
  ['corrupt', 1, 1, 'corrupt'],
])('a backup that was %s, with round %d opened and round %d closed', async (proof, round, closed, after) => {
  await database.db.query(
    `INSERT INTO backups (host, id, database, started_at, finished_at, bytes, tables, rows, proof_state, round, proven_round)
     VALUES ('web-1', '20261123T020000Z-1f3a9c', 'app', now(), now(), 1, 1, 1, $1, $2, $3)`,
    [proof, round, closed],
  );
  await migrate(database.db);
  expect(await listBackups(database.db, 1)).toMatchObject([
    { proofState: proof, round, verificationState: after },
  ]);
});
