// The states that the database takes are those of the code's state machines: a state that only one of the two has would be
// refused at the first write, or never reached.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VERIFICATION_STATES } from '#functions/backup/state.ts';
import { CommandState } from '#shared/command/state.ts';
import { CheckState, DeliveryState, IncidentState } from '#shared/states.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test.each([
  ['commands', CommandState.options],
  ['check_states', CheckState.options],
  ['deliveries', DeliveryState.options],
  ['verification', VERIFICATION_STATES],
  ['incidents', IncidentState.options],
])('the states of %s', async (table, states) => {
  const { rows } = await database.db.query(
    'SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = $1',
    [`${table}_state_check`],
  );
  const text = JSON.stringify(rows);
  const taken = [...text.matchAll(/'([a-z-]+)'/g)].map(([, state]) => state);
  expect(new Set(taken)).toEqual(new Set(states));
});
