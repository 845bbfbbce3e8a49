import { afterEach, beforeEach, expect, test } from 'vitest';
import { listCheckStates } from '#functions/store/checks.ts';
import { migrate } from '#functions/store/migrate.ts';
import { createDatabaseBefore } from '#test/fixtures/migrated-database.ts';
import type { TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabaseBefore('021');
});
afterEach(() => database.drop());

const CONFIRMED_AT = new Date('2026-11-23T09:00:00.000Z');
const BLIND_AT = new Date('2026-11-23T10:00:00.000Z');

test.each([
  ['failing', CONFIRMED_AT, null, { state: 'failing', since: CONFIRMED_AT, confirmed: 'failing' }],
  ['passing', CONFIRMED_AT, BLIND_AT, { state: 'unknown', since: BLIND_AT, confirmed: 'passing' }],
  ['unknown', null, BLIND_AT, { state: 'unknown', since: BLIND_AT, confirmed: null }],
  ['unknown', null, null, { state: 'unknown', since: null, confirmed: null }],
])('a check that was %s since %o, not seen since %o', async (state, since, blindSince, after) => {
  await database.db.query(
    `INSERT INTO check_states (check_name, host, state, since, blind_since) VALUES ('api', 'web-1', $1, $2, $3)`,
    [state, since, blindSince],
  );
  await migrate(database.db);
  expect(await listCheckStates(database.db)).toMatchObject([{ ...after, confirmedSince: since }]);
});
