import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAudit } from '#functions/store/audit.ts';
import { createToken, findToken, findTokenByName, revokeToken } from '#functions/store/tokens.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('a token is found by its text, and its text is nowhere in the database', async () => {
  const { db } = database;
  const token = await createToken(db, { name: 'alice', role: 'operator' });
  expect(token).toMatch(/^lamp_[\w-]{43}$/);
  expect(await findToken(db, token)).toEqual({ name: 'alice', role: 'operator' });
  expect(await findToken(db, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)).toBeUndefined();
  const { rows } = await db.query(
    'SELECT t::text AS row FROM api_tokens t UNION ALL SELECT a::text FROM audit a',
  );
  expect(JSON.stringify(rows)).not.toContain(token);
  expect(rows).toHaveLength(2);
});

test('a name is given once, even after it was revoked', async () => {
  const { db } = database;
  const token = await createToken(db, { name: 'bob', role: 'viewer' });
  await revokeToken(db, 'bob');
  expect(await findToken(db, token)).toBeUndefined();
  expect(await findTokenByName(db, 'bob')).toBeUndefined();
  await expect(createToken(db, { name: 'bob', role: 'admin' })).rejects.toMatchObject({ code: 'conflict' });
  await expect(revokeToken(db, 'bob')).rejects.toMatchObject({ code: 'not-found' });
  expect((await listAudit(db, { target: 'bob', limit: 9 })).map(({ action }) => action)).toEqual([
    'token.revoked',
    'token.created',
  ]);
});
