import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { askRunner } from '#agent/dispatch/ask-runner.ts';
import { markCancelled } from '#agent/runner/cancel.ts';
import { pruneRuns, unfinishedRuns } from '#agent/runner/left-over.ts';
import { openLocks } from '#agent/runner/locks.ts';
import { admitHandover, carryOut, type Runner, recover } from '#agent/runner/run.ts';
import { serveHandover } from '#agent/runner/serve.ts';
import { createRun, openStepWriter, readReport, readSteps, runDir } from '#agent/runner/step-record.ts';
import { CommandEnvelope, commandTimeMs } from '#shared/command/envelope.ts';
import { FinishedReport } from '#shared/command/report.ts';
import { CommandId } from '#shared/names.ts';
import { isSignatureValid, type SignedBytes, signBytes } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const ISSUED = Date.parse('2026-11-23T10:00:00.000Z');
const DAY_MS = 24 * 3_600_000;
const controlPlane = makeKey();
const runnerKey = makeKey();
/** Every record here can be read. */
function failOn(id: string, error: unknown): never {
  throw new Error(`read run ${id}`, { cause: error });
}

const ID = CommandId.parse('0197c2aa-0000-7000-8000-000000000001');

let dir: string;
let nowMs: number;
let runner: Runner;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-runner-'));
  nowMs = ISSUED;
  mkdirSync(join(dir, 'runs'));
  writePolicy({ alertLogs: [join(dir, 'alerts.jsonl')] });
  runner = {
    host: 'web-1',
    runsDir: join(dir, 'runs'),
    policyFile: join(dir, 'policy.yaml'),
    pinnedKeys: [controlPlane.publicKey],
    signer: keySigner(runnerKey.privatePem),
    locks: openLocks(join(dir, 'locks.db'), () => false),
    clock: () => new Date(nowMs),
    hideSecrets: () => undefined,
    onStuck: () => undefined,
  };
});
afterEach(() => {
  runner.locks.close();
  rmSync(dir, { recursive: true, force: true });
});

function writePolicy(change: object): void {
  const policy = { version: 1, host: 'web-1', operations: ['alert.append'], units: {}, ...change };
  writeFileSync(join(dir, 'policy.yaml'), stringify(policy));
}

function envelopeOf(change: object = {}): object {
  return {
    v: 1,
    id: ID,
    host: 'web-1',
    operation: 'alert.append',
    params: {},
    spec: {
      path: join(dir, 'alerts.jsonl'),
      alert: {
        id: '5b0c1f6e-6f0f-4a57-9d4c-3b3f5a3f5a3f',
        at: '2026-11-23T10:00:00.000Z',
        event: 'firing',
        level: 'WARNING',
        severity: 'P3',
        kind: 'check',
        host: 'web-1',
        summary: 'down',
      },
    },
    dryRun: false,
    actor: { kind: 'channel', name: 'log', role: 'responder' },
    runbookVersion: 1,
    issuedAt: new Date(ISSUED).toISOString(),
    expiresAt: new Date(ISSUED + 60_000).toISOString(),
    timeoutMs: 5000,
    ...change,
  };
}

async function sign(envelope: object, pem = controlPlane.privatePem): Promise<SignedBytes> {
  const signer = keySigner(pem);
  const payload = Buffer.from(JSON.stringify(envelope));
  return await signBytes(signer, 'command', payload);
}

test('a command that was cancelled before it came never begins', async () => {
  markCancelled(runner.runsDir, ID, { by: ID, actor: 'token ops' });
  const { envelope } = admitHandover(runner, await sign(envelopeOf()), 'one');
  if (!envelope) return expect.unreachable();
  await carryOut(runner, envelope);
  const report = readReport(runner.runsDir, ID);
  expect(JSON.parse(Buffer.from(report?.payload ?? '').toString('utf8'))).toMatchObject({
    state: 'cancelled',
    message: 'cancelled by token ops before it began',
    steps: [],
  });
  expect(existsSync(join(dir, 'alerts.jsonl'))).toBe(false);
});

test('what is secret is read for a command that holds, and not for bytes that nobody signed', async () => {
  let timesRead = 0;
  const open = (): Runner => ({ ...runner, hideSecrets: () => void timesRead++ });
  const server = createServer((socket) => void serveHandover(socket, 'one', open)).listen(join(dir, 'sock'));
  await once(server, 'listening');
  expect(await askRunner(join(dir, 'sock'), await sign(envelopeOf(), makeKey().privatePem))).toMatchObject({
    accepted: false,
  });
  expect(timesRead).toBe(0);
  expect(await askRunner(join(dir, 'sock'), await sign(envelopeOf()))).toEqual({ accepted: true });
  await expect.poll(() => readReport(runner.runsDir, ID)).toBeDefined();
  expect(timesRead).toBe(1);
  server.close();
});

function report(): FinishedReport {
  const signed = readReport(runner.runsDir, ID);
  if (!signed) throw new Error('there is no report');
  expect(isSignatureValid('report', signed, [runnerKey.publicKey])).toBe(true);
  return FinishedReport.parse(JSON.parse(Buffer.from(signed.payload).toString()));
}

const appended = () =>
  existsSync(join(dir, 'alerts.jsonl')) ? readFileSync(join(dir, 'alerts.jsonl'), 'utf8') : '';

async function run(change: object = {}): Promise<FinishedReport> {
  const { envelope } = admitHandover(runner, await sign(envelopeOf(change)), 'me');
  if (!envelope) throw new Error('not admitted');
  await carryOut(runner, envelope);
  return report();
}

describe('handover', () => {
  test('is taken once: the record is there before the answer', async () => {
    const signed = await sign(envelopeOf());
    expect(admitHandover(runner, signed, 'me')).toMatchObject({ answer: { accepted: true } });
    expect(unfinishedRuns(runner.runsDir, failOn)).toMatchObject([{ owner: 'me', envelope: { id: ID } }]);
    expect(admitHandover(runner, signed, 'you')).toMatchObject({
      answer: { accepted: false, reason: 'replayed' },
    });
    expect(unfinishedRuns(runner.runsDir, failOn)).toMatchObject([{ owner: 'me' }]);
  });

  test.each([
    ['a stolen agent invents one', {}, makeKey().privatePem, 0, 'bad-signature'],
    ['it comes too late', {}, undefined, 60_001, 'expired'],
    ['it is for another host', { host: 'web-2' }, undefined, 0, 'wrong-host'],
    ['it is from the future', { issuedAt: '2026-11-23T10:00:50.000Z' }, undefined, 0, 'issued-in-future'],
  ])('is refused when %s', async (_name, change, pem, laterMs, reason) => {
    nowMs += laterMs;
    const { answer, envelope } = admitHandover(runner, await sign(envelopeOf(change), pem), 'me');
    expect(answer).toMatchObject({ accepted: false, reason });
    expect(envelope).toBeUndefined();
    expect(unfinishedRuns(runner.runsDir, failOn)).toEqual([]);
  });
});

describe('carried out', () => {
  test('with a signed report and a record of each step', async () => {
    expect(await run()).toMatchObject({
      state: 'succeeded',
      result: { appended: true },
      steps: [{ name: 'append', outcome: 'done' }],
    });
    expect(appended().split('\n')).toHaveLength(2);
    expect(readSteps(runner.runsDir, ID).map(({ phase }) => phase)).toEqual(['begin', 'end']);
    expect(unfinishedRuns(runner.runsDir, failOn)).toEqual([]);
  });

  test('a dry run only tells', async () => {
    expect(await run({ dryRun: true })).toMatchObject({
      state: 'succeeded',
      result: { plan: [{ step: 'append', does: `append one line to ${dir}/alerts.jsonl` }] },
    });
    expect(appended()).toBe('');
  });

  test.each([
    [
      'does not list it',
      { operations: [] },
      'add alert.append under "operations:" in /etc/lamplighter/policy.yaml',
    ],
    [
      'withholds its target',
      { alertLogs: [] },
      'alerts.jsonl under "alertLogs:" in /etc/lamplighter/policy.yaml',
    ],
    ['is for another host', { host: 'web-2' }, 'until root mends'],
    ['is not valid', { operations: 'all' }, 'until root mends'],
  ])("not when root's policy %s, and says what root can do", async (_name, change, hint) => {
    writePolicy(change);
    expect(await run()).toMatchObject({
      state: 'rejected',
      code: 'not-in-policy',
      hint: expect.stringContaining(hint),
      steps: [],
    });
    expect(appended()).toBe('');
  });

  test('not while another command holds its lock, and its own is free afterwards', async () => {
    writePolicy({ operations: ['service.restart'], units: { 'app-web.service': ['restart'] } });
    const order = {
      operation: 'service.restart',
      spec: { unit: 'app-web.service', health: { activeForMs: 500 } },
    };
    runner.locks.acquire(['unit:app-web.service'], 'another');
    expect(await run(order)).toMatchObject({
      state: 'rejected',
      code: 'busy',
      message: 'unit:app-web.service is held by command another',
      hint: 'Try again when it has ended: lamp commands another --wait',
    });
    runner.locks.release('another');
    expect(runner.locks.acquire(['unit:app-web.service'], 'third')).toEqual({ acquired: true });
  });

  test.each([
    ['looks something up waits for its lock', 'disk.clean', { what: 'logs' }, 'clean:logs', 'rejected'],
    [
      'only describes needs none',
      'service.restart',
      { unit: 'a.service', health: { activeForMs: 500 } },
      'unit:a.service',
      'succeeded',
    ],
  ])('a dry run that %s', async (_name, operation, spec, lock, state) => {
    writePolicy({
      operations: [operation],
      units: { 'a.service': ['restart'] },
      disk: { clean: { logs: { folder: join(dir, 'runs'), names: ['*.log'] } } },
    });
    runner.locks.acquire([lock], 'another');
    expect(await run({ operation, spec, dryRun: true })).toMatchObject({ state });
  });

  test('an alert waits for the one that is being written', async () => {
    runner.locks.acquire([`file:${dir}/alerts.jsonl`], 'another');
    const ended = run();
    await sleep(250);
    expect(appended()).toBe('');
    runner.locks.release('another');
    expect(await ended).toMatchObject({ state: 'succeeded', result: { appended: true } });
  });

  test('what fails is told as failed', async () => {
    const path = join(dir, 'nowhere/alerts.jsonl');
    writePolicy({ alertLogs: [path] });
    const { spec } = CommandEnvelope.parse(envelopeOf());
    expect(await run({ spec: { ...spec, path } })).toMatchObject({ state: 'failed', code: 'step-failed' });
  });
});

describe('recovered', () => {
  async function interrupted(change: object = {}): Promise<CommandEnvelope> {
    const { envelope } = admitHandover(runner, await sign(envelopeOf(change)), 'me');
    if (!envelope) throw new Error('not admitted');
    return envelope;
  }
  const begin = () =>
    openStepWriter(runner.runsDir, ID, runner.clock).write({ step: 'append', phase: 'begin' });

  test('in the middle of a step that may be done again: it is, though its time to start is over', async () => {
    const envelope = await interrupted();
    begin();
    nowMs += 3_600_000;
    await recover(runner, envelope);
    expect(report()).toMatchObject({ state: 'succeeded' });
  });

  test('before its first step and in time: it starts', async () => {
    await recover(runner, await interrupted());
    expect(report()).toMatchObject({ state: 'succeeded' });
  });

  test('before its first step and too late: it has expired and nothing is done', async () => {
    const envelope = await interrupted();
    nowMs += 60_001;
    await recover(runner, envelope);
    expect(report()).toMatchObject({ state: 'expired', code: 'expired' });
    expect(appended()).toBe('');
  });

  test.each([
    ['allows it no more', { alertLogs: [] }],
    ['cannot be read', { version: 9 }],
  ])('when the policy %s: it did begin, so nobody can call it rejected', async (_name, change) => {
    const envelope = await interrupted();
    begin();
    writePolicy(change);
    await recover(runner, envelope);
    expect(report()).toMatchObject({ state: 'unknown', code: 'interrupted' });
    expect(appended()).toBe('');
  });

  test('after the last step, before the report: only the report is written', async () => {
    const envelope = await interrupted();
    begin();
    const data = { path: '/opt/app/logs/alerts.jsonl', appended: true };
    openStepWriter(runner.runsDir, ID, runner.clock).write({ step: 'append', phase: 'end', ok: true, data });
    await recover(runner, envelope);
    expect(report()).toMatchObject({ state: 'succeeded', result: data });
    expect(appended()).toBe('');
  });
});

describe('the record', () => {
  test('a line that a crash cut short is left out, and the next is not glued to it', async () => {
    createRun(runner.runsDir, ID, await sign(envelopeOf()), 'me');
    const file = join(runDir(runner.runsDir, ID), 'steps.ndjson');
    openStepWriter(runner.runsDir, ID, runner.clock).write({ step: 'a', phase: 'begin' });
    appendFileSync(file, '{"seq":2,"at":"2026-');
    openStepWriter(runner.runsDir, ID, runner.clock).write({ step: 'a', phase: 'end', ok: true });
    expect(readSteps(runner.runsDir, ID).map(({ seq, phase }) => [seq, phase])).toEqual([
      [1, 'begin'],
      [2, 'end'],
    ]);
  });

  test('a folder that is not whole, or whose name is no id, is no run', () => {
    mkdirSync(join(runner.runsDir, `.${ID}.123`));
    mkdirSync(join(runner.runsDir, ID));
    mkdirSync(join(runner.runsDir, 'lost+found'));
    expect(unfinishedRuns(runner.runsDir, failOn)).toEqual([]);
  });

  test('one that can not be read is told, and does not keep the others from being found', async () => {
    const other = CommandId.parse('0197c2aa-0000-7000-8000-000000000002');
    createRun(runner.runsDir, ID, await sign({ v: 99 }), 'me');
    createRun(runner.runsDir, other, await sign(envelopeOf({ id: other })), 'me');
    const unreadable: string[] = [];
    const found = unfinishedRuns(runner.runsDir, (id) => unreadable.push(id));
    expect(found).toMatchObject([{ envelope: { id: other } }]);
    expect(unreadable).toEqual([ID]);
  });

  /** A command of this many days later, ended. */
  async function runLater(days: number): Promise<void> {
    const issuedMs = ISSUED + days * DAY_MS;
    const id = CommandId.parse(uuidv7({ msecs: commandTimeMs(ID) + days * DAY_MS }));
    const times = {
      issuedAt: new Date(issuedMs).toISOString(),
      expiresAt: new Date(issuedMs + 60_000).toISOString(),
    };
    nowMs = issuedMs;
    const { envelope } = admitHandover(runner, await sign(envelopeOf({ id, ...times })), 'me');
    if (envelope) await carryOut(runner, envelope);
  }

  test('with a step begun and an error outside of the steps has no end: the recovery takes it up', async () => {
    createRun(runner.runsDir, ID, await sign(envelopeOf()), 'me');
    openStepWriter(runner.runsDir, ID, runner.clock).write({ step: 'append', phase: 'begin' });
    const envelope = CommandEnvelope.parse(envelopeOf());
    const broken: Runner = {
      ...runner,
      locks: {
        ...runner.locks,
        acquire: () => {
          throw new Error('disk I/O error');
        },
      },
    };
    await expect(recover(broken, envelope)).rejects.toThrow('disk I/O error');
    expect(readReport(runner.runsDir, ID)).toBeUndefined();
    await recover(runner, envelope);
    expect(report()).toMatchObject({ state: 'succeeded' });
  });

  test('whose recovery fails for days ends as what it is: unknown', async () => {
    createRun(runner.runsDir, ID, await sign(envelopeOf()), 'me');
    openStepWriter(runner.runsDir, ID, runner.clock).write({ step: 'append', phase: 'begin' });
    nowMs += 2 * DAY_MS;
    const acquire = () => {
      throw new Error('disk I/O error');
    };
    await recover({ ...runner, locks: { ...runner.locks, acquire } }, CommandEnvelope.parse(envelopeOf()));
    expect(report()).toMatchObject({ state: 'unknown', message: expect.stringContaining('disk I/O error') });
  });

  test('is forgotten when commands of long after it have come, not because a clock says so', async () => {
    await run();
    nowMs += 31 * DAY_MS;
    pruneRuns(runner.runsDir, 30 * DAY_MS);
    expect(readReport(runner.runsDir, ID)).toBeDefined();
    await runLater(31);
    pruneRuns(runner.runsDir, 30 * DAY_MS);
    expect(existsSync(runDir(runner.runsDir, ID))).toBe(false);
  });

  test('that was forgotten is never run again, whatever the clock says', async () => {
    await run();
    await runLater(31);
    pruneRuns(runner.runsDir, 30 * DAY_MS);
    nowMs = ISSUED;
    const { answer } = admitHandover(runner, await sign(envelopeOf()), 'me');
    expect(answer).toMatchObject({ accepted: false, reason: 'expired' });
    expect(existsSync(runDir(runner.runsDir, ID))).toBe(false);
  });

  test('that has not ended is kept, however old', async () => {
    createRun(runner.runsDir, ID, await sign(envelopeOf()), 'me');
    await runLater(31);
    pruneRuns(runner.runsDir, 30 * DAY_MS);
    expect(unfinishedRuns(runner.runsDir, failOn)).toHaveLength(1);
  });
});
