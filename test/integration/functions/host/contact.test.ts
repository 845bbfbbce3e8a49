// When a host was last heard of, as the answer about a command carries it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { requestCommand } from '#functions/command/request.ts';
import { waitForNews } from '#functions/command/wait.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken } from '#functions/store/tokens.ts';
import { Report } from '#shared/command/report.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let listener: CommandListener;
let keys: HostKeys;

beforeAll(async () => {
  database = await createTestDatabase();
  deps = createTestDeps(database.db);
  listener = createCommandListener(database.db);
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  await createToken(database.db, { name: 'tester', role: 'operator' });
});
afterAll(async () => {
  await listener.close();
  await database.drop();
});

async function ask(): Promise<string> {
  const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
  const params = { service: 'web' };
  return (await requestCommand(deps, { operation: 'service.restart', params, actor, dryRun: false })).id;
}

const look = (id: string) =>
  waitForNews(deps, listener, id, { after: 0, waitMs: 0, signal: new AbortController().signal });

async function say(report: object): Promise<void> {
  const head = { v: 1, id: crypto.randomUUID(), host: 'web-1', at: deps.now.toISOString() };
  await recordReport(deps, await pushedReport(Report.parse({ ...head, ...report }), keys.agent));
}

function beat(): Promise<void> {
  const memory = { totalBytes: 1, availableBytes: 1 };
  const vitals = { bootId: 'b', uptimeS: 1, load: [0, 0, 0], memory, disks: [], units: [] };
  const heartbeat = { agentVersion: '1', policyHash: 'x', vitals, runningCommands: [] };
  return say({ type: 'host.heartbeat', ...heartbeat });
}

test('a host is silent once its heartbeat is overdue, until it takes the command', async () => {
  const id = await ask();
  expect((await look(id)).contact).toEqual({ at: deps.now.toISOString(), online: false, lastHeardAt: null });
  await beat();
  const heardAt = deps.now.toISOString();
  expect((await look(id)).contact).toMatchObject({ online: true, lastHeardAt: heardAt });
  deps.advance(240_000);
  expect((await look(id)).contact).toEqual({
    at: deps.now.toISOString(),
    online: false,
    lastHeardAt: heardAt,
  });
  await say({ type: 'command.accepted', commandId: id });
  expect((await look(id)).contact).toBeNull();
});
