// An agent may say that a command never began, and nothing else of what the runner does.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { requestCommand } from '#functions/command/request.ts';
import { findCommand } from '#functions/store/commands.ts';
import { createToken } from '#functions/store/tokens.ts';
import { Report } from '#shared/command/report.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let keys: HostKeys;

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  await createToken(database.db, { name: 'tester', role: 'operator' });
});
afterAll(() => database.drop());

test.each([
  ['before it has begun', [], 'recorded', 'rejected'],
  ['once it has begun', ['command.progress'], 'refused: wrong-key', 'failed'],
])('"rejected" by the agent %s', async (_case, sooner, outcome, state) => {
  const deps = createTestDeps(database.db);
  const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
  const order = { operation: 'service.restart', params: { service: 'web' }, actor, dryRun: false };
  const { id } = await requestCommand(deps, order);
  const say = async (type: string, key: HostKeys['agent'], more: object = {}): Promise<string> => {
    const head = { v: 1, id: randomUUID(), host: 'web-1', at: deps.now.toISOString() };
    const report = Report.parse({ ...head, type, commandId: id, ...more });
    return (await recordReport(deps, await pushedReport(report, key))).outcome;
  };
  await say('command.accepted', keys.agent);
  for (const type of sooner) await say(type, keys.agent, { seq: 1, step: 'restart', phase: 'begin' });
  const rejected = { state: 'rejected', code: 'busy', steps: [] };
  expect(await say('command.finished', keys.agent, rejected)).toBe(outcome);
  await say('command.finished', keys.runner, { state: 'failed', code: 'step-failed', steps: [] });
  expect(await findCommand(database.db, id)).toMatchObject({ state });
});
