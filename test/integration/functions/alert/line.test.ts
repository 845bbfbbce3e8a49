// A line in a host's alert log: delivered when its command has ended well, asked for again when it has not.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { concludeEndedLines } from '#functions/alert/conclude-line.ts';
import { handleReport } from '#functions/command/report-handler.ts';
import { sweepCommands } from '#functions/command/sweep.ts';
import { listAudit } from '#functions/store/audit.ts';
import { DELIVERY_OUTBOX } from '#functions/store/deliveries.ts';
import { claimDue } from '#functions/store/outbox.ts';
import type { FinishedReport } from '#shared/command/report.ts';
import { CommandId, HostName } from '#shared/names.ts';
import { applyTestRunbook, DEMO_RUNBOOK, pushedReport } from '#test/fixtures/control-plane.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { type AlertWorld, createAlertWorld } from './alert-world.ts';

// Only the log: mails have tests of their own.
const LOG_ONLY = DEMO_RUNBOOK.replace(/ {2}on-call:\n(?: {4}.*\n)+/, '');
const DAY_MS = 24 * 3_600_000;

let world: AlertWorld;
let reports: FunctionServer;
beforeEach(async () => {
  world = await createAlertWorld('smtp://127.0.0.1:1');
  await applyTestRunbook(world.database.db, LOG_ONLY);
  reports = await serveHandler(handleReport(world.deps));
  await world.raise();
  await world.pushAll();
});
afterEach(async () => {
  await reports.close();
  await world.close();
});

async function line() {
  return (await world.deliveries()).find(({ channel }) => channel === 'host-log');
}
async function commandIds(): Promise<string[]> {
  const { rows } = await world.database.db.query('SELECT id FROM commands ORDER BY id');
  return (rows as { id: string }[]).map(({ id }) => id);
}
async function report(commandId: string, state: FinishedReport['state']): Promise<number> {
  const finished: FinishedReport = {
    v: 1,
    id: randomUUID(),
    host: HostName.parse('web-1'),
    at: world.deps.now.toISOString(),
    type: 'command.finished',
    commandId: CommandId.parse(commandId),
    state,
    steps: [],
    message: `it ${state}`,
    ...(state === 'succeeded' ? { result: { path: '/opt/app/logs/alerts.jsonl', appended: true } } : {}),
  };
  const { data, attributes, id } = await pushedReport(finished, world.keys.runner);
  const response = await fetch(reports.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer x.y.z' },
    body: JSON.stringify({
      message: { data: data.toString('base64'), attributes, messageId: id },
      subscription: 'projects/p/subscriptions/reports',
    }),
  });
  return response.status;
}
/** What a tick does with lines, after some time. */
async function tick(afterMs: number): Promise<void> {
  world.deps.advance(afterMs);
  await sweepCommands(world.deps);
  await concludeEndedLines(world.deps);
  const now = world.deps.now;
  const due = await claimDue(world.deps.db, DELIVERY_OUTBOX, { now, nextPublishAt: now, limit: 10 });
  for (const { id: deliveryId } of due) await world.push({ deliveryId });
}

test('waits for the end of its command, and is delivered by it once', async () => {
  expect(await line()).toMatchObject({ state: 'sent', deliveredAt: null });
  await world.pushAll();
  const [id] = await commandIds();
  expect(await report(id!, 'succeeded')).toBe(204);
  const delivered = await line();
  expect(delivered).toMatchObject({ state: 'delivered', lastError: null });
  world.deps.advance(60_000);
  expect(await report(id!, 'succeeded')).toBe(204);
  await world.pushAll();
  await tick(0);
  expect(await line()).toEqual(delivered);
  expect(await commandIds()).toHaveLength(1);
});

describe('asks for another command', () => {
  test.each(['failed', 'rejected', 'timed-out', 'unknown'] as const)('when it %s', async (state) => {
    const [id] = await commandIds();
    await report(id!, state);
    expect(await line()).toMatchObject({ state: 'pending', lastError: expect.stringContaining(state) });
    await tick(1000);
    expect(await commandIds()).toHaveLength(1);
    await tick(61_000);
    const [, second] = await commandIds();
    expect(await line()).toMatchObject({ state: 'sent' });
    await report(second!, 'succeeded');
    expect(await line()).toMatchObject({ state: 'delivered' });
  });

  test('when no host took it within a day', async () => {
    await tick(DAY_MS + 120_000);
    expect(await line()).toMatchObject({ state: 'pending', lastError: expect.stringContaining('expired') });
    await tick(61_000);
    expect(await line()).toMatchObject({ state: 'sent' });
    expect(await commandIds()).toHaveLength(2);
  });
});

test('is given up after five commands, and the log says so', async () => {
  for (let count = 1; count <= 5; count++) {
    expect(await commandIds()).toHaveLength(count);
    await report((await commandIds()).at(-1)!, 'rejected');
    await tick(3 * 3_600_000);
  }
  await tick(DAY_MS);
  expect(await commandIds()).toHaveLength(5);
  expect(await line()).toMatchObject({ state: 'failed', lastError: expect.stringContaining('rejected') });
  expect(await listAudit(world.deps.db, { action: 'delivery.failed', limit: 10 })).toHaveLength(1);
});

test('counts when an earlier command turns out to have written it', async () => {
  const [first] = await commandIds();
  await tick(DAY_MS + 120_000);
  await tick(61_000);
  await report(first!, 'succeeded');
  expect(await line()).toMatchObject({ state: 'delivered' });
});

test('is not told to people who already know of the alert', async () => {
  await applyTestRunbook(world.database.db);
  await world.settle();
  world.deps.advance(1000);
  await world.raise();
  await world.database.db.query(`UPDATE deliveries SET state = 'delivered' WHERE channel = 'on-call'`);
  for (let count = 0; count < 5; count++) {
    await tick(3 * 3_600_000);
    for (const id of await commandIds()) await report(id, 'rejected');
  }
  expect((await world.deliveries()).map(({ event }) => event)).not.toContain('undelivered');
});
