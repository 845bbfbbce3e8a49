import { describe, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { requestCommand } from '#functions/command/request.ts';
import { settleDenials } from '#functions/denial/settle.ts';
import { listAudit } from '#functions/store/audit.ts';
import { listCommandEvents } from '#functions/store/command-events.ts';
import { findCommand } from '#functions/store/commands.ts';
import { MAX_PROGRESS_REPORTS, Report } from '#shared/command/report.ts';
import { signBytes } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { toWire } from '#shared/signing/message.ts';
import { enrolTestHost, pushedReport } from '#test/fixtures/control-plane.ts';
import { makeKey, type TestKey } from '#test/fixtures/deps.ts';
import { isLong } from '#test/fixtures/long.ts';
import { ORDERS, useReportingHost } from '#test/fixtures/reporting-host.ts';

const host = useReportingHost();

test('a command is followed from acceptance to its end', async () => {
  const id = await host.sentCommand();
  expect(await host.deliver(host.accepted(id), host.keys.agent)).toBe('recorded');
  expect(await host.deliver(host.progress(id, 1), host.keys.agent)).toBe('recorded');
  expect(await host.deliver(host.finished(id, { message: 'done', output: ['line'] }), host.keys.runner)).toBe(
    'recorded',
  );
  expect(await findCommand(host.database.db, id)).toMatchObject({
    state: 'succeeded',
    message: 'done',
    output: ['line'],
    finishedAt: host.deps.now,
  });
  expect(await host.eventsOf(id)).toEqual([
    'requested',
    'sent',
    'accepted',
    'running',
    'step 1',
    'succeeded',
  ]);
});

describe('refuses', () => {
  const stranger = makeKey();
  const table: [string, keyof typeof ORDERS, (id: string) => Report, () => TestKey, string][] = [
    ['a key that nobody enrolled', 'restart', (id) => host.accepted(id), () => stranger, 'bad-signature'],
    [
      "another host's key speaking for this one",
      'restart',
      (id) => host.accepted(id),
      () => host.otherHost.agent,
      'wrong-host',
    ],
    [
      "another host that speaks of this one's command",
      'restart',
      (id) => Report.parse({ ...host.accepted(id), host: 'web-2' }),
      () => host.otherHost.agent,
      'wrong-host',
    ],
    ['the agent ending a restart', 'restart', (id) => host.finished(id), () => host.keys.agent, 'wrong-key'],
    ['the agent ending a restore', 'restore', (id) => host.finished(id), () => host.keys.agent, 'wrong-key'],
    [
      'the agent calling a restore failed',
      'restore',
      (id) => host.finished(id, { state: 'failed' }),
      () => host.keys.agent,
      'wrong-key',
    ],
    [
      'a command that does not exist',
      'restart',
      () => host.finished('0197c2aa-0000-7000-8000-00000000dead'),
      () => host.keys.runner,
      'unknown-command',
    ],
  ];
  test.each(table)('%s', async (_name, order, report, key, reason) => {
    const id = await host.sentCommand(order);
    expect(await host.deliver(report(id), key())).toBe(`refused: ${reason}`);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'sent' });
    await settleDenials({ db: host.database.db, clock: () => new Date(host.deps.now.getTime() + 60_000) });
    const [entry] = await listAudit(host.database.db, { action: 'report.refused', limit: 1 });
    expect(entry?.detail.reason).toBe(reason);
  });

  test('a payload changed by one byte', async () => {
    const id = await host.sentCommand();
    const pushed = await pushedReport(host.finished(id, { state: 'failed' }), host.keys.runner);
    const data = Buffer.from(pushed.data.toString().replace('failed', 'railed'));
    expect((await recordReport(host.deps, { ...pushed, data })).outcome).toBe('refused: bad-signature');
  });

  test('a message without a signature, and one that is no report', async () => {
    const bare = await pushedReport(host.accepted(await host.sentCommand()), host.keys.agent);
    expect((await recordReport(host.deps, { ...bare, attributes: {} })).outcome).toBe('refused: unsigned');
    const odd = { ...host.head(), type: 'command.invented' } as unknown as Report;
    expect(await host.deliver(odd, host.keys.agent)).toBe('refused: malformed');
  });

  // Each in an hour of its own: of the denials of a source in one minute only the first is recorded.
  test.each([
    [
      1,
      'is of no known type',
      { type: 'command.invented' },
      'type: it is not one of the kinds that are known',
    ],
    [2, 'lacks a field', { state: undefined }, 'state: it must be '],
    [3, 'has a value of another form', { steps: 'none' }, 'steps: it must be a list'],
    [4, 'has a field that we do not know', { more: 1 }, 'unknown "more"'],
  ])('(%d) a report that %s, and says what is wrong in plain words', async (hour, _name, change, fault) => {
    host.deps.advance(hour * 3_600_000);
    const report = { ...host.finished(await host.sentCommand()), ...change } as unknown as Report;
    expect(await host.deliver(report, host.keys.runner)).toBe('refused: malformed');
    const [entry] = await listAudit(host.database.db, {
      action: 'report.refused',
      target: 'malformed',
      limit: 1,
    });
    expect(entry?.detail['detail']).toContain(fault);
    expect(entry?.detail['detail']).not.toMatch(/Invalid|expected|received/);
  });

  async function deliverText(text: string): Promise<string> {
    const signer = keySigner(host.keys.agent.privatePem);
    const payload = Buffer.from(text);
    const signed = await signBytes(signer, 'report', payload);
    const pushed = await pushedReport(host.accepted(await host.sentCommand()), host.keys.agent);
    const head = { id: '1', source: 's', type: 't', time: host.deps.now.toISOString() };
    return (await recordReport(host.deps, { ...pushed, ...toWire('report', signed, head) })).outcome;
  }

  test('a report that is not JSON, without quoting it', async () => {
    expect(await deliverText('{"a secret')).toBe('refused: malformed');
    const audits = await listAudit(host.database.db, { action: 'report.refused', limit: 5 });
    expect(JSON.stringify(audits)).not.toContain('a secret');
  });

  // An hour of their own each, as above.
  test.each([
    [
      5,
      'is nested without end',
      (report: string) => report.replace('"DATA"', '['.repeat(200_000) + ']'.repeat(200_000)),
      'nested deeper',
    ],
    [
      6,
      'has a value for every two bytes',
      (report: string) => report.replace('"DATA"', `[${'{},'.repeat(2_000_000)}{}]`),
      'more than 50000 values',
    ],
  ])('(%d) a report that %s', async (hour, _name, change, fault) => {
    host.deps.advance(hour * 3_600_000);
    const report = host.finished(await host.sentCommand('status'), { result: 'DATA' });
    expect(await deliverText(change(JSON.stringify(report)))).toBe('refused: malformed');
    const filter = { action: 'report.refused', target: 'malformed', limit: 1 };
    const [entry] = await listAudit(host.database.db, filter);
    expect(entry?.detail['detail']).toContain(fault);
  });

  test('progress beyond what one command may tell', async () => {
    const id = await host.sentCommand();
    expect(await host.deliver(host.progress(id, MAX_PROGRESS_REPORTS), host.keys.agent)).toBe('recorded');
    const beyond = { ...host.progress(id, 1), seq: MAX_PROGRESS_REPORTS + 1 } as Report;
    expect(await host.deliver(beyond, host.keys.agent)).toBe('refused: malformed');
    const far = { ...host.progress(id, 1), seq: 2 ** 40 } as Report;
    expect(await host.deliver(far, host.keys.agent)).toBe('refused: malformed');
  });

  test('a report about a command that was never signed', async () => {
    const actor = { kind: 'token', name: 'tester', role: 'operator' } as const;
    const unreachable = { ...host.deps, signCommand: () => Promise.reject(new Error('down')) };
    const { id } = await requestCommand(unreachable, { ...ORDERS.restart, actor, dryRun: false });
    expect(await host.deliver(host.accepted(id), host.keys.agent)).toBe('refused: never-signed');
  });

  test('a key that was retired', async () => {
    const old = await enrolTestHost(host.database.db, 'web-3');
    const fresh = await enrolTestHost(host.database.db, 'web-3');
    const report = Report.parse({ ...host.heartbeat(), host: 'web-3' });
    expect(await host.deliver(report, old.agent)).toBe('refused: bad-signature');
    expect(await host.deliver(report, fresh.agent)).toBe('recorded');
  });
});

test('the agent may end a read, and say that something never began', async () => {
  const read = await host.sentCommand('status');
  expect(await host.deliver(host.finished(read), host.keys.agent)).toBe('recorded');
  const rejected = await host.sentCommand('restore');
  const why = { code: 'not-in-policy', hint: 'Root can allow it.' } as const;
  await host.deliver(host.finished(rejected, { state: 'rejected', ...why }), host.keys.agent);
  expect(await findCommand(host.database.db, rejected)).toMatchObject({ state: 'rejected', ...why });
});

test('each report counts once, however often it comes', async () => {
  const id = await host.sentCommand();
  const reports = [host.accepted(id), host.progress(id, 1), host.progress(id, 2), host.finished(id)];
  for (const report of [...reports, ...reports]) {
    await host.deliver(report, report.type === 'command.finished' ? host.keys.runner : host.keys.agent);
  }
  expect(await host.eventsOf(id)).toEqual([
    'requested',
    'sent',
    'accepted',
    'running',
    'step 1',
    'step 2',
    'succeeded',
  ]);
  expect(await host.deliver(host.finished(id, { state: 'failed' }), host.keys.runner)).toBe('known');
  expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'succeeded' });
});

/** All orders of a list. */
function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [i, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(i, 1))) yield [item, ...rest];
  }
}

test('in whatever order the reports come, the state, the result and the order of the steps are the same', async () => {
  // Without `--long` every seventh: each report comes first, and last, in several of them.
  const orders = [...permutations([0, 1, 2, 3, 4])].filter((_, i) => isLong || i % 7 === 0);
  for (const order of orders) {
    const id = await host.sentCommand();
    const reports = [
      host.accepted(id),
      host.progress(id, 1),
      host.progress(id, 2),
      host.progress(id, 3),
      host.finished(id, { state: 'failed', code: 'unhealthy', output: ['last words'] }),
    ];
    for (const i of order) {
      const report = reports[i]!;
      await host.deliver(report, report.type === 'command.finished' ? host.keys.runner : host.keys.agent);
    }
    const record = await findCommand(host.database.db, id);
    expect(record).toMatchObject({ state: 'failed', code: 'unhealthy', output: ['last words'] });
    const events = await listCommandEvents(host.database.db, id, 0);
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
  const id = await host.sentCommand();
  await host.deliver(host.progress(id, 2), host.keys.agent);
  expect(await host.eventsOf(id)).not.toContain('step 2');
  await host.deliver(host.progress(id, 1), host.keys.agent);
  expect((await host.eventsOf(id)).filter((name) => name.startsWith('step'))).toEqual(['step 1', 'step 2']);
});

test.each([
  ['0000-01-01T00:00:00.000Z', 'refused: malformed'],
  ['0001-01-01T00:00:00.000Z', 'recorded'],
  ['9999-12-31T23:59:59.999Z', 'recorded'],
])('a time that PostgreSQL can’t hold is refused, not retried: %s', async (at, outcome) => {
  const id = await host.sentCommand();
  expect(await host.deliver({ ...host.progress(id, 1), at } as Report, host.keys.agent)).toBe(outcome);
});

test('output that PostgreSQL can’t hold is kept with the odd characters replaced', async () => {
  const id = await host.sentCommand();
  await host.deliver(host.progress(id, 1, 'nul \u0000'), host.keys.agent);
  await host.deliver(
    host.finished(id, { output: ['nul \u0000, half \ud800'], message: '\u0000' }),
    host.keys.runner,
  );
  expect(await findCommand(host.database.db, id)).toMatchObject({
    output: ['nul \ufffd, half \ufffd'],
    message: '\ufffd',
  });
});
