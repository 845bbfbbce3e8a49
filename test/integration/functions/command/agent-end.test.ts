// An agent may say that a command never began, and nothing else of what the runner does; what the runner signed counts more.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { requestCommand } from '#functions/command/request.ts';
import { sweepCommands } from '#functions/command/sweep.ts';
import { hostRoutes } from '#functions/host/routes.ts';
import { listFiringAlerts } from '#functions/store/alerts.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import { createToken } from '#functions/store/tokens.ts';
import { UNLIMITED } from '#functions/token/scope.ts';
import { Report } from '#shared/command/report.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { signedEnrolment } from '#test/fixtures/enrolment.ts';
import { isLong } from '#test/fixtures/long.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let keys: HostKeys;
let deps: TestDeps;

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  await createToken(database.db, { name: 'tester', role: 'operator' });
});
afterAll(() => database.drop());

beforeEach(() => {
  deps = createTestDeps(database.db);
});

async function sentCommand(): Promise<string> {
  // Nobody is allowed to request so many commands within a minute.
  deps.advance(5000);
  const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
  const order = { operation: 'service.restart', params: { service: 'web' }, actor, dryRun: false };
  return (await requestCommand(deps, order)).id;
}

/** Several times the same: one report that is delivered again keeps its id. */
function said(commandId: string, type: string, more: object = {}): Report {
  const head = { v: 1, id: randomUUID(), host: 'web-1', at: deps.now.toISOString() };
  return Report.parse({ ...head, type, commandId, ...more });
}

async function deliver(report: Report, key: HostKeys['agent']): Promise<string> {
  return (await recordReport(deps, await pushedReport(report, key))).outcome;
}

async function auditsOf(action: string, id: string) {
  return (await listAudit(database.db, { action, target: id, limit: 500 })).map(({ detail }) => detail);
}

const REJECTED = { state: 'rejected', code: 'busy', steps: [] };

test.each([
  ['before it has begun', false, 'recorded', 'rejected'],
  ['once it has begun', true, 'refused: wrong-key', 'running'],
])('"rejected" by the agent %s', async (_case, hasBegun, outcome, state) => {
  const id = await sentCommand();
  await deliver(said(id, 'command.accepted'), keys.agent);
  const begin = said(id, 'command.progress', { seq: 1, step: 'restart', phase: 'begin' });
  if (hasBegun) await deliver(begin, keys.agent);
  expect(await deliver(said(id, 'command.finished', REJECTED), keys.agent)).toBe(outcome);
  expect(await findCommand(database.db, id)).toMatchObject({ state });
});

test('"expired" by the agent after our own clock said so is no news, and no refusal', async () => {
  const id = await sentCommand();
  deps.advance(30 * 60_000);
  await sweepCommands(deps);
  const expired = said(id, 'command.finished', { state: 'expired', code: 'expired', steps: [] });
  expect(await deliver(expired, keys.agent)).toBe('recorded');
  expect(await deliver(expired, keys.agent)).toBe('known');
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'expired', endedBy: 'agent' });
});

/** All orders of a list, each once: of two that are alike it does not matter which comes first. */
function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const item of new Set(items)) {
    for (const rest of orders(items.toSpliced(items.indexOf(item), 1))) yield [item, ...rest];
  }
}

/** With `--long` every order of five reports; else every order of three, and then two of them again. */
const ORDERS = isLong
  ? [...orders(['accepted', 'rejected', 'rejected', 'ended', 'ended'] as const)]
  : [...orders(['accepted', 'rejected', 'ended'] as const)].map(
      (order) => [...order, 'rejected', 'ended'] as const,
    );

describe("the runner's end stands over the agent's", () => {
  const ends: [string, object, boolean][] = [
    ['succeeded', { state: 'succeeded', message: 'it runs', steps: [] }, true],
    ['failed', { state: 'failed', code: 'step-failed', message: 'it does not', steps: [] }, true],
    ['unknown', { state: 'unknown', code: 'interrupted', message: 'who knows', steps: [] }, true],
    [
      'rejected too',
      { state: 'rejected', code: 'not-in-policy', message: 'by the runner', steps: [] },
      false,
    ],
  ];

  test.each(ends)('%s, in every order and however often each comes', async (_name, end, isContradiction) => {
    for (const order of ORDERS) {
      const id = await sentCommand();
      const reports = {
        accepted: said(id, 'command.accepted'),
        rejected: said(id, 'command.finished', REJECTED),
        ended: said(id, 'command.finished', end),
      };
      for (const name of order) await deliver(reports[name], name === 'ended' ? keys.runner : keys.agent);
      const { steps: _steps, ...told } = end as { steps: unknown };
      expect(await findCommand(database.db, id), order.join(', ')).toMatchObject({
        ...told,
        endedBy: 'runner',
      });
      expect(await auditsOf('command.contradicted', id)).toHaveLength(isContradiction ? 1 : 0);
      expect(await auditsOf('report.refused', id)).toEqual([]);
    }
  });

  test('two ends of the runner go forward only', async () => {
    const id = await sentCommand();
    const unknown = said(id, 'command.finished', { state: 'unknown', steps: [] });
    const succeeded = said(id, 'command.finished', { state: 'succeeded', steps: [] });
    await deliver(said(id, 'command.finished', REJECTED), keys.agent);
    for (const report of [unknown, succeeded, unknown]) await deliver(report, keys.runner);
    await deliver(said(id, 'command.finished', { state: 'failed', steps: [] }), keys.runner);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'succeeded' });
    expect(await auditsOf('command.ended', id)).toMatchObject([
      { state: 'succeeded', signer: 'runner' },
      { state: 'unknown', signer: 'runner' },
      { state: 'rejected', signer: 'agent', code: 'busy' },
    ]);
  });

  test('each contradiction is an alert about the host, five at most, until it is enrolled anew', async () => {
    const firing = async () => (await listFiringAlerts(database.db)).filter(({ kind }) => kind === 'agent');
    const contradiction = { host: 'web-1', title: 'agent contradicts the runner' };
    const raised = await firing();
    expect(raised).toMatchObject(Array(5).fill(contradiction));
    expect(new Set(raised.map(({ reason }) => reason)).size).toBe(5);
    const [route] = hostRoutes(deps);
    const body = await signedEnrolment('web-1');
    await route?.handle({
      params: { name: 'web-1' },
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.from(JSON.stringify(body)),
      signal: new AbortController().signal,
      actor: { kind: 'token', name: 'admin', role: 'admin' },
      scope: UNLIMITED,
      requireRole: () => undefined,
    });
    expect(await firing()).toEqual([]);
  });
});
