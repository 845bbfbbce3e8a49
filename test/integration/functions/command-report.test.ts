import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { runReportHooks } from '#functions/command/report-hooks.ts';
import { requestCommand } from '#functions/command/request.ts';
import { sweepCommands } from '#functions/command/sweep.ts';
import { settleDenials } from '#functions/denial/settle.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findBackupsById } from '#functions/store/backups.ts';
import { listCommandEvents } from '#functions/store/command-events.ts';
import { findCommand } from '#functions/store/commands.ts';
import { findHostState } from '#functions/store/hosts.ts';
import { createToken } from '#functions/store/tokens.ts';
import { type FinishedReport, type HeartbeatReport, Report } from '#shared/command/report.ts';
import { CommandId } from '#shared/names.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, makeKey, type TestDeps, type TestKey } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let keys: HostKeys;
let otherHost: HostKeys;

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  otherHost = await enrolTestHost(database.db, 'web-2');
  await createToken(database.db, { name: 'tester', role: 'operator' });
});
afterAll(() => database.drop());
beforeEach(() => {
  deps = createTestDeps(database.db);
});

const ORDERS = {
  restart: { operation: 'service.restart', params: { service: 'web' } },
  status: { operation: 'service.status', params: { service: 'web' } },
  backup: { operation: 'backup.run', params: {} },
  restore: {
    operation: 'restore.run',
    params: { backup: '20261123T020000Z-1f3a9c', confirm: 'analytics' },
  },
};

async function sentCommand(order: keyof typeof ORDERS = 'restart', dryRun = false): Promise<CommandId> {
  deps.advance(1000);
  const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
  return (await requestCommand(deps, { ...ORDERS[order], actor, dryRun })).id;
}

function head(host = 'web-1') {
  return { v: 1, id: randomUUID(), host, at: deps.now.toISOString() };
}

const accepted = (commandId: string) => Report.parse({ ...head(), type: 'command.accepted', commandId });
const progress = (commandId: string, seq: number, detail = '') =>
  Report.parse({
    ...head(),
    type: 'command.progress',
    commandId,
    seq,
    step: `step ${seq}`,
    phase: 'end',
    detail,
  });
const finished = (commandId: string, change: Partial<FinishedReport> = {}) =>
  Report.parse({ ...head(), type: 'command.finished', commandId, state: 'succeeded', steps: [], ...change });

async function deliver(report: Report, key: TestKey): Promise<string> {
  return (await recordReport(deps, await pushedReport(report, key))).outcome;
}

async function eventsOf(id: string): Promise<string[]> {
  return (await listCommandEvents(database.db, id, 0)).map(
    (event) => event.state ?? event.step ?? event.kind,
  );
}

test('a command is followed from acceptance to its end', async () => {
  const id = await sentCommand();
  expect(await deliver(accepted(id), keys.agent)).toBe('recorded');
  expect(await deliver(progress(id, 1), keys.agent)).toBe('recorded');
  expect(await deliver(finished(id, { message: 'done', output: ['line'] }), keys.runner)).toBe('recorded');
  expect(await findCommand(database.db, id)).toMatchObject({
    state: 'succeeded',
    message: 'done',
    output: ['line'],
    finishedAt: deps.now,
  });
  expect(await eventsOf(id)).toEqual(['requested', 'sent', 'accepted', 'running', 'step 1', 'succeeded']);
});

describe('a result', () => {
  const unit = {
    unit: 'app-web.service',
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    mainPid: 7,
    restarts: 0,
    activeSince: null,
    memoryBytes: null,
  };
  const resultAudits = async (id: string) =>
    (await listAudit(database.db, { action: 'result.refused', limit: 500 })).filter(
      ({ target }) => target === id,
    );

  test("that is the operation's is kept, without fields that are new to us", async () => {
    const id = await sentCommand();
    const result = { unit: { ...unit, cpuPercent: 3 }, healthy: true, warmedUp: [1] };
    await deliver(finished(id, { result }), keys.runner);
    expect(await findCommand(database.db, id)).toMatchObject({
      state: 'succeeded',
      result: { unit, healthy: true },
      message: null,
    });
    expect((await findCommand(database.db, id))?.result).toEqual({ unit, healthy: true });
    expect(await resultAudits(id)).toEqual([]);
  });

  const plan = [{ step: 'restart', does: 'systemctl restart app-web.service' }];
  const refused: [string, Partial<FinishedReport>, boolean, string][] = [
    ['of another form', { result: { unit, healthy: 'secret' } }, false, 'healthy:'],
    ['that is none', { result: 'secret' }, false, 'it must be a mapping'],
    ['of a failure, of another form', { state: 'failed', result: { secret: 1 } }, false, 'unit:'],
    ["of a dry run that is the operation's", { result: { unit, healthy: true } }, true, 'plan:'],
  ];
  test.each(refused)('%s is left out and said; the end counts', async (_name, change, dryRun, fault) => {
    const id = await sentCommand('restart', dryRun);
    const report = finished(id, { message: 'as it ended', ...change });
    await deliver(report, keys.runner);
    const command = await findCommand(database.db, id);
    expect(command).toMatchObject({
      state: report.type === 'command.finished' && report.state,
      result: null,
    });
    expect(command?.message).toContain('as it ended; its result was not understood and is left out: ');
    expect(command?.message).toContain(fault);
    const [entry, ...others] = await resultAudits(id);
    expect(entry).toMatchObject({ actor: 'host:web-1', detail: { reportId: report.id } });
    expect(others).toEqual([]);
    expect(JSON.stringify([command, entry])).not.toContain('secret');
  });

  test('that is left out is written down once, however often it comes', async () => {
    const id = await sentCommand();
    const report = finished(id, { result: 7 });
    await deliver(report, keys.runner);
    expect(await deliver(report, keys.runner)).toBe('known');
    expect(await resultAudits(id)).toHaveLength(1);
  });

  test('of a backup, with a field that is new to us, makes the backup known', async () => {
    const id = await sentCommand('backup');
    const backupId = '20261123T020000Z-1f3a9d';
    const summary = { backupId, database: 'analytics', bytes: 1, tables: 1, rows: 1, durationMs: 1 };
    const result = { ...summary, manifestObject: 'manifest.json', sequences: 4 };
    const { report } = await recordReport(deps, await pushedReport(finished(id, { result }), keys.runner));
    if (report) await runReportHooks(deps, report);
    expect(await findBackupsById(database.db, backupId)).toMatchObject([{ database: 'analytics' }]);
  });

  test('of a dry run is its plan', async () => {
    const id = await sentCommand('restart', true);
    await deliver(finished(id, { result: { plan } }), keys.runner);
    expect(await findCommand(database.db, id)).toMatchObject({ result: { plan }, message: null });
  });

  test('of a dry run of a read is what was read', async () => {
    const id = await sentCommand('status', true);
    await deliver(finished(id, { result: { unit } }), keys.agent);
    expect(await findCommand(database.db, id)).toMatchObject({ result: { unit }, message: null });
  });
});

describe('refuses', () => {
  const stranger = makeKey();
  const table: [string, keyof typeof ORDERS, (id: string) => Report, () => TestKey, string][] = [
    ['a key that nobody enrolled', 'restart', accepted, () => stranger, 'bad-signature'],
    ["another host's key speaking for this one", 'restart', accepted, () => otherHost.agent, 'wrong-host'],
    [
      "another host that speaks of this one's command",
      'restart',
      (id) => Report.parse({ ...accepted(id), host: 'web-2' }),
      () => otherHost.agent,
      'wrong-host',
    ],
    ['the agent ending a restart', 'restart', (id) => finished(id), () => keys.agent, 'wrong-key'],
    ['the agent ending a restore', 'restore', (id) => finished(id), () => keys.agent, 'wrong-key'],
    [
      'the agent calling a restore failed',
      'restore',
      (id) => finished(id, { state: 'failed' }),
      () => keys.agent,
      'wrong-key',
    ],
    [
      'a command that does not exist',
      'restart',
      () => finished('0197c2aa-0000-7000-8000-00000000dead'),
      () => keys.runner,
      'unknown-command',
    ],
  ];
  test.each(table)('%s', async (_name, order, report, key, reason) => {
    const id = await sentCommand(order);
    expect(await deliver(report(id), key())).toBe(`refused: ${reason}`);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
    await settleDenials({ db: database.db, clock: () => new Date(deps.now.getTime() + 60_000) });
    const [entry] = await listAudit(database.db, { action: 'report.refused', limit: 1 });
    expect(entry?.detail.reason).toBe(reason);
  });

  test('a payload changed by one byte', async () => {
    const id = await sentCommand();
    const pushed = await pushedReport(finished(id, { state: 'failed' }), keys.runner);
    const data = Buffer.from(pushed.data.toString().replace('failed', 'railed'));
    expect((await recordReport(deps, { ...pushed, data })).outcome).toBe('refused: bad-signature');
  });

  test('a message without a signature, and one that is no report', async () => {
    const bare = await pushedReport(accepted(await sentCommand()), keys.agent);
    expect((await recordReport(deps, { ...bare, attributes: {} })).outcome).toBe('refused: unsigned');
    const odd = { ...head(), type: 'command.invented' } as unknown as Report;
    expect(await deliver(odd, keys.agent)).toBe('refused: malformed');
  });

  test('a report about a command that was never signed', async () => {
    const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
    const unreachable = { ...deps, signCommand: () => Promise.reject(new Error('down')) };
    const { id } = await requestCommand(unreachable, { ...ORDERS.restart, actor, dryRun: false });
    expect(await deliver(accepted(id), keys.agent)).toBe('refused: never-signed');
  });

  test('a key that was retired', async () => {
    const old = await enrolTestHost(database.db, 'web-3');
    const fresh = await enrolTestHost(database.db, 'web-3');
    const report = Report.parse({ ...heartbeat(), host: 'web-3' });
    expect(await deliver(report, old.agent)).toBe('refused: bad-signature');
    expect(await deliver(report, fresh.agent)).toBe('recorded');
  });
});

test('the agent may end a read, and say that something never began', async () => {
  const read = await sentCommand('status');
  expect(await deliver(finished(read), keys.agent)).toBe('recorded');
  const rejected = await sentCommand('restore');
  const why = { code: 'not-in-policy', hint: 'Root can allow it.' } as const;
  await deliver(finished(rejected, { state: 'rejected', ...why }), keys.agent);
  expect(await findCommand(database.db, rejected)).toMatchObject({ state: 'rejected', ...why });
});

test('each report counts once, however often it comes', async () => {
  const id = await sentCommand();
  const reports = [accepted(id), progress(id, 1), progress(id, 2), finished(id)];
  for (const report of [...reports, ...reports]) {
    await deliver(report, report.type === 'command.finished' ? keys.runner : keys.agent);
  }
  expect(await eventsOf(id)).toEqual([
    'requested',
    'sent',
    'accepted',
    'running',
    'step 1',
    'step 2',
    'succeeded',
  ]);
  expect(await deliver(finished(id, { state: 'failed' }), keys.runner)).toBe('known');
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'succeeded' });
});

/** All orders of a list. */
function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [i, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(i, 1))) yield [item, ...rest];
  }
}

test('in whatever order the reports come, the state, the result and the order of the steps are the same', async () => {
  for (const order of permutations([0, 1, 2, 3, 4])) {
    const id = await sentCommand();
    const reports = [
      accepted(id),
      progress(id, 1),
      progress(id, 2),
      progress(id, 3),
      finished(id, { state: 'failed', code: 'unhealthy', output: ['last words'] }),
    ];
    for (const i of order) {
      const report = reports[i]!;
      await deliver(report, report.type === 'command.finished' ? keys.runner : keys.agent);
    }
    const record = await findCommand(database.db, id);
    expect(record).toMatchObject({ state: 'failed', code: 'unhealthy', output: ['last words'] });
    const events = await listCommandEvents(database.db, id, 0);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    const steps = events.filter(({ kind }) => kind === 'step').map(({ step }) => step);
    expect(new Set(steps)).toEqual(new Set(['step 1', 'step 2', 'step 3']));
    // Before the end, steps wait for those before them; after it, nothing need be waited for.
    const beforeEnd = events.filter(
      ({ kind }, i) => kind === 'step' && i < events.findIndex(({ state }) => state === 'failed'),
    );
    expect(beforeEnd.map(({ step }) => step)).toEqual(
      ['step 1', 'step 2', 'step 3'].slice(0, beforeEnd.length),
    );
  }
});

test('a step that overtook an earlier one is shown after it', async () => {
  const id = await sentCommand();
  await deliver(progress(id, 2), keys.agent);
  expect(await eventsOf(id)).not.toContain('step 2');
  await deliver(progress(id, 1), keys.agent);
  expect((await eventsOf(id)).filter((name) => name.startsWith('step'))).toEqual(['step 1', 'step 2']);
});

test('output that PostgreSQL can’t hold is kept with the odd characters replaced', async () => {
  const id = await sentCommand();
  await deliver(progress(id, 1, 'nul \u0000'), keys.agent);
  await deliver(finished(id, { output: ['nul \u0000, half \ud800'], message: '\u0000' }), keys.runner);
  expect(await findCommand(database.db, id)).toMatchObject({
    output: ['nul \ufffd, half \ufffd'],
    message: '\ufffd',
  });
});

describe('an envelope that a host refused', () => {
  const refused = (commandId?: string) =>
    Report.parse({
      ...head(),
      type: 'envelope.refused',
      reason: 'id-reused',
      detail: 'it ran before',
      messageId: '17',
      ...(commandId === undefined ? {} : { commandId }),
    });

  test('is told in the trail once and beside the command, whose state stays', async () => {
    const id = await sentCommand();
    const report = refused(id);
    expect(await deliver(report, keys.agent)).toBe('recorded');
    expect(await deliver(report, keys.agent)).toBe('known');
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
    expect(await eventsOf(id)).toEqual(['requested', 'sent', 'refused']);
    expect(await listAudit(database.db, { action: 'envelope.refused', target: id, limit: 5 })).toHaveLength(
      1,
    );
  });

  test('without a command is told in the trail', async () => {
    expect(await deliver(refused(), keys.agent)).toBe('recorded');
    const [entry] = await listAudit(database.db, { action: 'envelope.refused', limit: 1 });
    expect(entry).toMatchObject({ target: 'web-1', detail: { reason: 'id-reused' } });
  });
});

function heartbeat(change: Partial<HeartbeatReport> = {}): HeartbeatReport {
  const report = Report.parse({
    ...head(),
    type: 'host.heartbeat',
    agentVersion: '1.0.0',
    policyHash: 'abc',
    runningCommands: [],
    vitals: {
      bootId: 'boot',
      uptimeS: 1,
      load: [0, 0, 0],
      memory: { totalBytes: 2, availableBytes: 1 },
      disks: [],
      units: [],
    },
    ...change,
  });
  if (report.type !== 'host.heartbeat') throw new Error('not a heartbeat');
  return report;
}

describe('heartbeats', () => {
  const at = (ms: number) => new Date(deps.now.getTime() + ms).toISOString();

  test('the newest counts, an older one that comes late does not', async () => {
    await deliver(heartbeat({ at: at(0), agentVersion: 'new' }), keys.agent);
    expect(await deliver(heartbeat({ at: at(-30_000), agentVersion: 'old' }), keys.agent)).toBe('known');
    expect(await findHostState(database.db, 'web-1')).toMatchObject({ agentVersion: 'new' });
  });

  test('one from the future does not silence the host', async () => {
    await deliver(heartbeat({ at: at(86_400_000), agentVersion: 'wrong clock' }), keys.agent);
    expect(await deliver(heartbeat({ at: at(30_000), agentVersion: 'right clock' }), keys.agent)).toBe(
      'recorded',
    );
  });

  test('the runner sends none', async () => {
    expect(await deliver(heartbeat({ at: at(60_000) }), keys.runner)).toBe('refused: wrong-key');
  });
});

describe('the sweep', () => {
  test('a command that its host never took expires, and the host’s late word counts more', async () => {
    const id = await sentCommand();
    deps.advance(5 * 60_000);
    await sweepCommands(deps);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
    deps.advance(60_000);
    await sweepCommands(deps);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'expired', code: 'expired' });
    await deliver(finished(id), keys.runner);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'succeeded', code: null });
  });

  test('an expiry that the host itself reported is the end', async () => {
    const id = await sentCommand();
    await deliver(finished(id, { state: 'expired', code: 'expired' }), keys.runner);
    await deliver(finished(id), keys.runner);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'expired' });
  });

  test('a command whose host went silent becomes unknown, and a result that comes late still counts', async () => {
    const id = await sentCommand();
    await deliver(accepted(id), keys.agent);
    deps.advance(((await findCommand(database.db, id))?.timeoutMs ?? 0) + 4 * 60_000);
    await sweepCommands(deps);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'accepted' });
    deps.advance(60_000);
    await sweepCommands(deps);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'unknown' });
    await deliver(finished(id, { state: 'failed' }), keys.runner);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'failed' });
  });
});
