import { afterAll, beforeAll, expect, test } from 'vitest';
import { handleReport } from '#functions/command/report-handler.ts';
import { openDatabase } from '#functions/store/database.ts';
import { LamplighterError } from '#shared/errors.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const PUSH = JSON.stringify({
  message: { messageId: '1', data: 'e30=', attributes: {} },
  subscription: 'projects/p/subscriptions/reports',
});

async function push(deps: Parameters<typeof handleReport>[0], body = PUSH): Promise<number> {
  const server = await serveHandler(handleReport(deps));
  try {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(server.url, { method: 'POST', headers, body })).status;
  } finally {
    await server.close();
  }
}

test('a message that must not count is acknowledged', async () => {
  expect(await push(createTestDeps(database.db))).toBe(204);
});

test('a database that is away sends the message again', async () => {
  const away = openDatabase('postgresql://nobody@127.0.0.1:1/none');
  const deps = createTestDeps(away);
  const signed = PUSH.replace(
    '"attributes":{}',
    '"attributes":{"lamplighter-signature":"AAAA","lamplighter-keyid":"0123456789abcdef"}',
  );
  expect(await push(deps, signed)).toBe(503);
  expect(deps.logged).toMatchObject([{ severity: 'ERROR', code: 'unavailable', messageId: '1' }]);
  await away.close();
});

test('a caller that may not is told so before anything is read', async () => {
  const verifyCaller = () => Promise.reject(new LamplighterError('not-allowed', 'identify caller: no'));
  expect(await push(createTestDeps(database.db, { verifyCaller }), '{"not":"a push"}')).toBe(403);
});

test('what is no push is taken: it would be none the next time', async () => {
  expect(await push(createTestDeps(database.db), '{}')).toBe(204);
});

test('a key id that no database could look up is no signature', async () => {
  const odd = PUSH.replace(
    '"attributes":{}',
    JSON.stringify({ attributes: { 'lamplighter-signature': 'AAAA', 'lamplighter-keyid': '\0' } }).slice(
      1,
      -1,
    ),
  );
  expect(await push(createTestDeps(database.db), odd)).toBe(204);
});
