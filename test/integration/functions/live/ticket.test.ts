// The way of a live log's command from the API to the host: its ticket opens the relay, and nothing that is kept does.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { resendRequestedCommands } from '#functions/command/request.ts';
import { sendCommand } from '#functions/command/send.ts';
import { sweepCommands } from '#functions/command/sweep.ts';
import { liveRoutes } from '#functions/live/routes.ts';
import { countOpenCommands } from '#functions/store/command-limits.ts';
import { findCommand, toCommandView } from '#functions/store/commands.ts';
import { claimLiveTicket } from '#functions/store/live-tickets.ts';
import { createToken } from '#functions/store/tokens.ts';
import { UNLIMITED } from '#functions/token/scope.ts';
import { LiveTicket } from '#shared/api/views.ts';
import { admitCommand } from '#shared/command/admit.ts';
import { Report } from '#shared/command/report.ts';
import { fromWire } from '#shared/signing/message.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, type Published, type TestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let keys: HostKeys;
beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  await createToken(database.db, { name: 'tester', role: 'responder' });
});
afterAll(() => database?.drop());

async function open(deps: TestDeps): Promise<LiveTicket> {
  const [route] = liveRoutes(deps);
  const answer = await route?.handle({
    params: {},
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.from(JSON.stringify({ service: 'web', lines: 10 })),
    signal: new AbortController().signal,
    actor: { kind: 'token', name: 'tester', role: 'responder' },
    scope: UNLIMITED,
    requireRole: () => undefined,
  });
  return LiveTicket.parse(answer);
}

/** The agent's half in a message, as the host finds it. */
function halfIn({ message }: Published, deps: TestDeps): string {
  const admission = admitCommand(fromWire(message.data, message.attributes), {
    hostName: 'web-1',
    pinnedKeys: [deps.signingKey.publicKey],
    nowMs: deps.now.getTime(),
    maxClockSkewMs: 1000,
    horizonMs: 0,
  });
  if (!admission.admitted) throw new Error('the host takes no such command');
  return String(admission.envelope.spec['ticket']);
}

/** Everything that the database holds, as text; bytes in hex. */
async function everything(): Promise<string> {
  const { rows } = await database.db.query(
    "SELECT format('SELECT t::text AS line FROM %I t', tablename) AS sql FROM pg_tables WHERE schemaname = 'public'",
  );
  const dumps = await Promise.all(rows.map((row) => database.db.query((row as { sql: string }).sql)));
  return JSON.stringify(dumps.map((dump) => dump.rows));
}

/** The forms in which the halves could be kept. */
function formsOf(half: string): string[] {
  const bytes = Buffer.from(half, 'base64url');
  return [half, Buffer.from(half).toString('hex'), bytes.toString('hex'), bytes.toString('base64')];
}

test('the signed command alone has the half that opens the agent’s side, once', async () => {
  const deps = createTestDeps(database.db);
  const ticket = await open(deps);
  const [sent] = deps.published;
  if (!sent) throw new Error('nothing was published');
  const half = halfIn(sent, deps);
  const kept = await everything();
  expect(kept).toContain(ticket.commandId);
  const command = await findCommand(database.db, ticket.commandId);
  const shown = JSON.stringify([command && toCommandView(command), deps.logged, ticket]);
  for (const form of formsOf(half)) {
    expect(kept).not.toContain(form);
    expect(shown).not.toContain(form);
  }
  for (const form of formsOf(ticket.ticket)) expect(kept).not.toContain(form);
  expect(await claimLiveTicket(database.db, 'viewer', half, deps.now)).toBeUndefined();
  const stored = String(command?.params['ticket']);
  expect(await claimLiveTicket(database.db, 'agent', stored, deps.now)).toBeUndefined();
  expect(await claimLiveTicket(database.db, 'agent', half, deps.now)).toMatchObject({ service: 'web' });
  expect(await claimLiveTicket(database.db, 'agent', half, deps.now)).toBeUndefined();
});

test('a command that is signed again, or twice at once, carries the same half', async () => {
  const deps = createTestDeps(database.db);
  const { publish } = deps.publisher;
  const lost: Published[] = [];
  deps.publisher.publish = (topic, message, orderingKey) => {
    lost.push({ topic, message, orderingKey });
    return Promise.reject(new Error('Pub/Sub is down'));
  };
  const { commandId } = await open(deps);
  deps.publisher.publish = publish;
  deps.advance(10_000);
  await Promise.all([sendCommand(deps, commandId), sendCommand(deps, commandId)]);
  await resendRequestedCommands(deps);
  const halves = [...lost, ...deps.published].map((one) => halfIn(one, deps));
  expect(halves.length).toBeGreaterThanOrEqual(2);
  expect(new Set(halves).size).toBe(1);
  expect(await claimLiveTicket(database.db, 'agent', halves[0] ?? '', deps.now)).toBeDefined();
});

test('two commands have different halves', async () => {
  const deps = createTestDeps(database.db);
  await open(deps);
  await open(deps);
  expect(new Set(deps.published.map((one) => halfIn(one, deps))).size).toBe(2);
});

test('a command whose ticket is gone is not signed', async () => {
  const down = createTestDeps(database.db, { signCommand: () => Promise.reject(new Error('sign is down')) });
  const { commandId } = await open(down);
  await database.db.query('DELETE FROM live_tickets');
  expect(await sendCommand(down, commandId)).toBe('rejected');
  expect(down.published).toEqual([]);
});

test('what the host says of a live log is recorded: it is under way past its expiry, and then over', async () => {
  const deps = createTestDeps(database.db);
  const { commandId } = await open(deps);
  const say = async (type: string, more: object = {}) => {
    const head = { v: 1, id: crypto.randomUUID(), host: 'web-1', at: deps.now.toISOString() };
    const report = Report.parse({ ...head, type, commandId, ...more });
    return (await recordReport(deps, await pushedReport(report, keys.agent))).outcome;
  };
  const countOpen = () => countOpenCommands(database.db, 'web-1', ['service.follow'], deps.now);
  const stateOf = async () => (await findCommand(database.db, commandId))?.state;
  expect(await say('command.accepted')).toBe('recorded');
  deps.advance(10 * 60_000);
  await sweepCommands(deps);
  expect(await stateOf()).toBe('accepted');
  expect(await countOpen()).toBe(1);
  const result = { linesSent: 3 };
  expect(await say('command.finished', { state: 'succeeded', steps: [], result })).toBe('recorded');
  expect(await findCommand(database.db, commandId)).toMatchObject({ state: 'succeeded', result });
  expect(await countOpen()).toBe(0);
});
