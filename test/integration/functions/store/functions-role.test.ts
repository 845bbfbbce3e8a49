// What the functions' own database role may do: work, and nothing to the trail but add.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { requestCommand } from '#functions/command/request.ts';
import { sweepCommands } from '#functions/command/sweep.ts';
import { settleDenials } from '#functions/denial/settle.ts';
import { appendAudit, listAudit, verifyAuditChain } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import { type Database, openDatabase } from '#functions/store/database.ts';
import { functionsUrl, letFunctionsIn } from '#functions/store/functions-role.ts';
import { createToken, revokeToken, useToken } from '#functions/store/tokens.ts';
import { Report } from '#shared/command/report.ts';
import {
  applyTestRunbook,
  DEMO_RUNBOOK,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, makeKey } from '#test/fixtures/deps.ts';
import { createTestDatabase, FUNCTIONS_PASSWORD, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let functions: Database;
let keys: HostKeys;
let token: string;

beforeAll(async () => {
  database = await createTestDatabase();
  await letFunctionsIn(database.db, functionsUrl(database.url, FUNCTIONS_PASSWORD));
  functions = openDatabase(functionsUrl(database.url, FUNCTIONS_PASSWORD));
  token = await createToken(database.db, { name: 'tester', role: 'operator' });
});
afterAll(async () => {
  await functions?.close();
  await database?.drop();
});

test('the functions do their work with it', async () => {
  const deps = createTestDeps(functions);
  await applyTestRunbook(functions);
  await applyTestRunbook(functions, `${DEMO_RUNBOOK}\n# another\n`);
  keys = await enrolTestHost(functions, 'web-1');
  const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
  const order = { operation: 'service.restart', params: { service: 'web' }, actor, dryRun: false };
  const { id } = await requestCommand(deps, order);
  const head = { v: 1, id: randomUUID(), host: 'web-1', at: deps.now.toISOString(), commandId: id };
  const end = Report.parse({ ...head, type: 'command.finished', state: 'succeeded', steps: [] });
  await recordReport(deps, await pushedReport(end, makeKey()));
  await recordReport(deps, await pushedReport(end, keys.runner));
  expect(await findCommand(functions, id)).toMatchObject({ state: 'succeeded' });
  deps.advance(3_600_000);
  await sweepCommands(deps);
  expect(await settleDenials(deps)).toBe(1);
  expect(await useToken(functions, token)).toMatchObject({ name: 'tester' });
  await revokeToken(functions, 'tester');
  expect(await useToken(functions, token)).toBeUndefined();
  expect((await listAudit(functions, { limit: 50 })).map(({ action }) => action)).toContain('command.ended');
});

test.each([
  "UPDATE audit SET actor = 'somebody'",
  'DELETE FROM audit WHERE seq > 1',
  'TRUNCATE audit',
  'ALTER TABLE audit DISABLE TRIGGER ALL',
  'ALTER TABLE audit DISABLE TRIGGER USER',
  'DROP TRIGGER audit_rows_stay ON audit',
  'DROP TABLE audit',
  'CREATE OR REPLACE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$',
  "SET session_replication_role = 'replica'",
  'SET ROLE lamplighter',
  "UPDATE runbook_versions SET text = ''",
  'DELETE FROM runbook_versions',
  "UPDATE api_tokens SET role = 'admin'",
  "UPDATE api_tokens SET expires_at = now() + interval '9 years'",
  'DELETE FROM api_tokens',
  'INSERT INTO api_tokens SELECT * FROM api_tokens',
  'DELETE FROM schema_migrations',
  'CREATE ROLE another SUPERUSER',
])('it may not: %s', async (sql) => {
  await expect(functions.query(sql)).rejects.toMatchObject({
    message: expect.stringMatching(/permission denied|must be owner|must be superuser/),
  });
  expect(await verifyAuditChain(database.db)).toMatchObject({ intact: true });
});

test.each(['NULL', "now() + interval '1 year'"])('a revoked token stays revoked: %s', async (value) => {
  await createToken(database.db, { name: `ended ${value}`, role: 'viewer' });
  await revokeToken(functions, `ended ${value}`);
  const revive = functions.query(`UPDATE api_tokens SET revoked_at = ${value} WHERE name = $1`, [
    `ended ${value}`,
  ]);
  await expect(revive).rejects.toThrow('stays revoked');
});

test.each([
  [
    'the last number there is',
    '9223372036854775807, (SELECT hash FROM public.audit ORDER BY seq DESC LIMIT 1)',
  ],
  ['a number left out', "(SELECT max(seq) + 2 FROM public.audit), '\\x00'::bytea"],
  ['an entry that follows nothing', "(SELECT max(seq) + 1 FROM public.audit), '\\x00'::bytea"],
])('the trail takes no entry with %s, nor with a table put in its place', async (_name, values) => {
  const insert = `INSERT INTO public.audit (seq, prev_hash, at, actor, action, detail, hash)
    SELECT given.*, now(), 'a', 'b', '{}', '\\x01' FROM (SELECT ${values}) AS given (seq, prev_hash)`;
  await expect(functions.query(insert)).rejects.toThrow('does not follow');
  const hidden = functions.transaction(async (tx) => {
    await tx.query('CREATE TEMPORARY TABLE audit (seq bigint, hash bytea) ON COMMIT DROP');
    await tx.query("INSERT INTO pg_temp.audit VALUES (9223372036854775806, '\\x00')");
    await tx.query(insert);
  });
  await expect(hidden).rejects.toThrow('does not follow');
  const before = await listAudit(functions, { limit: 1 });
  const entry = { at: new Date(), actor: 'token:a', action: 'still', target: null, detail: {} };
  await functions.transaction((tx) => appendAudit(tx, entry));
  expect((await listAudit(functions, { limit: 1 }))[0]?.seq).toBe((before[0]?.seq ?? 0) + 1);
  expect(await verifyAuditChain(database.db)).toMatchObject({ intact: true });
});

test('a table that a later migration makes is theirs to write', async () => {
  await database.db.query('CREATE TABLE later (id integer)');
  await functions.query('INSERT INTO later VALUES (1)');
  await functions.query('DELETE FROM later');
});

test('what it grants itself is nothing', async () => {
  await functions.query('GRANT DELETE ON audit TO lamplighter_functions');
  await expect(functions.query('DELETE FROM audit')).rejects.toThrow('permission denied');
});
