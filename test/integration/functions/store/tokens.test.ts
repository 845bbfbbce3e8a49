import { afterAll, beforeAll, expect, test } from 'vitest';
import { listAudit } from '#functions/store/audit.ts';
import { createToken, findTokenByName, listTokens, revokeToken, useToken } from '#functions/store/tokens.ts';
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
  expect(await useToken(db, token)).toEqual({
    name: 'alice',
    role: 'operator',
    hosts: null,
    operations: null,
  });
  expect(await useToken(db, `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)).toBeUndefined();
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
  expect(await useToken(db, token)).toBeUndefined();
  expect(await findTokenByName(db, 'bob')).toBeUndefined();
  await expect(createToken(db, { name: 'bob', role: 'admin' })).rejects.toMatchObject({ code: 'conflict' });
  await expect(revokeToken(db, 'bob')).rejects.toMatchObject({ code: 'not-found' });
  expect((await listAudit(db, { target: 'bob', limit: 9 })).map(({ action }) => action)).toEqual([
    'token.revoked',
    'token.created',
  ]);
});

const DAY_MS = 86_400_000;

test('a token ends by itself, after 90 days unless it is said otherwise', async () => {
  const { db } = database;
  const at = new Date('2026-11-01T00:00:00Z');
  const usual = await createToken(db, { name: 'usual', role: 'viewer' }, at);
  const short = await createToken(db, { name: 'short', role: 'viewer', lifetimeDays: 1 }, at);
  const after = (ms: number) => new Date(at.getTime() + ms);
  expect(await useToken(db, short, after(DAY_MS - 1))).toBeDefined();
  expect(await useToken(db, short, after(DAY_MS))).toBeUndefined();
  expect(await findTokenByName(db, 'short', after(DAY_MS))).toBeUndefined();
  expect(await useToken(db, usual, after(90 * DAY_MS - 1))).toBeDefined();
  expect(await useToken(db, usual, after(90 * DAY_MS))).toBeUndefined();
});

test('the last use is shown, and written every five minutes at most', async () => {
  const { db } = database;
  const at = new Date('2026-11-01T00:00:00Z');
  const token = await createToken(db, { name: 'used', role: 'viewer' }, at);
  const lastUse = async () => (await listTokens(db)).find(({ name }) => name === 'used')?.lastUsedAt;
  expect(await lastUse()).toBeNull();
  await useToken(db, token, new Date('2026-11-01T10:00:00Z'));
  await useToken(db, token, new Date('2026-11-01T10:04:59Z'));
  expect(await lastUse()).toBe('2026-11-01T10:00:00.000Z');
  await useToken(db, token, new Date('2026-11-01T10:05:00Z'));
  expect(await lastUse()).toBe('2026-11-01T10:05:00.000Z');
});
