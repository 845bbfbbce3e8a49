import { afterEach, beforeEach, expect, test } from 'vitest';
import { handleWatch } from '#functions/tick/handler.ts';
import { LamplighterError } from '#shared/errors.ts';
import { applyTestRunbook } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

const CLOSED_PORT = `
version: 1
name: x
hosts: { web-1: { address: 127.0.0.1 } }
checks:
  closed: { host: web-1, failureThreshold: 2, recheckDelayMs: 100, tcp: { port: 1 } }
`;

let database: TestDatabase;
let deps: TestDeps;
let server: FunctionServer;
beforeEach(async () => {
  database = await createTestDatabase();
  deps = createTestDeps(database.db, {
    verifyCaller: ({ authorization }) =>
      authorization === 'Bearer scheduler'
        ? Promise.resolve('scheduler@example.com')
        : Promise.reject(new LamplighterError('unauthenticated', 'identify caller: no')),
  });
  await applyTestRunbook(database.db, CLOSED_PORT);
  server = await serveHandler(handleWatch(deps));
});
afterEach(async () => {
  await server.close();
  await database.drop();
});

const call = (method: string, authorization = 'Bearer scheduler', body: string | null = '{}') =>
  fetch(server.url, { method, headers: { authorization }, body: method === 'GET' ? null : body });

test('only the scheduler may call, and only by POST', async () => {
  expect((await call('POST', 'Bearer other')).status).toBe(401);
  expect((await call('GET')).status).toBe(405);
  expect((await database.db.query('SELECT 1 FROM check_states')).rowCount).toBe(0);
});

test('a tick answers what it did', async () => {
  const response = await call('POST');
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ checks: ['closed'], jobsStarted: [] });
  expect((await database.db.query(`SELECT 1 FROM alerts WHERE state = 'firing'`)).rowCount).toBe(1);
});

test('a part that fails makes the answer a 500 and is logged with its name', async () => {
  await database.db.query('DROP TABLE schedule_runs');
  expect((await call('POST')).status).toBe(500);
  const parts = deps.logged.flatMap(({ part }) => (part === undefined ? [] : [part]));
  expect(parts).toEqual(['jobsEnded', 'jobsStarted']);
  expect((await database.db.query('SELECT 1 FROM check_states')).rowCount).toBe(1);
});
