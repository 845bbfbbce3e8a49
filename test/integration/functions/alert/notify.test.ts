// From an alert's change to its channels: the real outbox, the real entry point, a real SMTP server.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeAlerts, raiseAlert } from '#functions/alert/change.ts';
import { handleNotify } from '#functions/alert/notify-handler.ts';
import { listAlertViews } from '#functions/alert/view.ts';
import { jobFailed } from '#functions/schedule/conditions.ts';
import { listAudit } from '#functions/store/audit.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { readMail } from '#local/cloud/mail/read.ts';
import { type MailServer, startMailServer } from '#local/cloud/mail/server.ts';
import { AlertLine } from '#shared/alert/event.ts';
import { LamplighterError } from '#shared/errors.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { serveHandler } from '#test/fixtures/function-server.ts';
import { type AlertWorld, createAlertWorld } from './alert-world.ts';

let dir: string;
let mail: MailServer;
let world: AlertWorld;
let refusal: { code: number; text: string } | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-notify-'));
  refusal = undefined;
  mail = await startMailServer({ host: '127.0.0.1', port: 0, dir, refuse: () => refusal });
  world = await createAlertWorld(mail.url);
});
afterEach(async () => {
  await world.close();
  await mail.close();
  rmSync(dir, { recursive: true, force: true });
});

const deliveryTo = async (channel: string) =>
  (await world.deliveries()).find((delivery) => delivery.channel === channel);
const audited = () => listAudit(world.deps.db, { action: 'delivery.failed', limit: 10 });
const appended = () =>
  world.database.db.query(
    `SELECT params FROM commands WHERE operation = 'alert.append' ORDER BY requested_at`,
  );

test('an alert is mailed and written on the host, each once, however often the messages come', async () => {
  await world.raise();
  await world.raise();
  expect(await world.pushAll()).toEqual([204, 204]);
  expect(await world.pushAll()).toEqual([204, 204]);
  const mails = await readMail(dir);
  expect(mails.map(({ subject }) => subject)).toEqual(['[P1] CRITICAL web-1: engines-api is failing']);
  const [written] = (await appended()).rows as { params: { channel: string; alert: unknown } }[];
  expect(written?.params.channel).toBe('host-log');
  expect(AlertLine.parse(written?.params.alert)).toMatchObject({
    event: 'firing',
    level: 'CRITICAL',
    severity: 'P1',
    check: 'engines-api',
    service: 'web',
    summary: 'engines-api is failing: status 502, expected 200',
    incident: 'INC-1',
  });
  expect((await appended()).rowCount).toBe(1);
  expect(world.deps.published.filter(({ topic }) => topic === 'lamplighter-commands-web-1')).toHaveLength(1);
});

test('a mail says what, since when, the evidence and what to do next', async () => {
  await world.raise();
  await world.pushAll();
  const [sent] = await readMail(dir);
  expect(sent).toMatchObject({ to: 'on-call@example.com', from: 'Lamplighter <lamp@example.com>' });
  for (const part of [
    'engines-api is failing: status 502, expected 200',
    '2026-11-23 10:00:00 UTC',
    '10:00:00  bad  status 502, expected 200',
    'INC-1, respond by 2026-11-23 10:15:00 UTC',
    'lamp ack INC-1',
    'lamp logs web -n 50',
    'lamp restart web',
  ]) {
    expect(sent?.text).toContain(part);
  }
  // A browser without a token could open nothing of ours.
  expect(sent?.text).not.toMatch(/https?:/);
  expect(sent?.headers.get('auto-submitted')).toBe('auto-generated');
});

test('the end of an alert is mailed in the same thread', async () => {
  await world.raise();
  world.deps.advance(252_000);
  await world.settle();
  await world.settle();
  await world.pushAll();
  const mails = await readMail(dir);
  const end = mails.find(({ subject }) => subject === '[resolved] P1 web-1: engines-api is failing');
  expect(mails).toHaveLength(2);
  expect(end?.text).toContain('(4 min 12 s)');
  expect(new Set(mails.map(({ headers }) => headers.get('references'))).size).toBe(1);
  expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(2);
});

test('two pushes of one message at the same time send one mail; the later is asked to come again', async () => {
  await world.raise();
  const [first] = world.deps.published;
  const statuses = await Promise.all([1, 2, 3].map(() => world.push(first!.message.data.toString())));
  for (const status of statuses) expect([204, 503]).toContain(status);
  await world.pushAll();
  expect((await readMail(dir)).length + (await appended()).rowCount).toBe(2);
});

test('a server that is away is tried again, and the delivery says why until then', async () => {
  await world.raise();
  await mail.close();
  expect(await world.pushAll()).toEqual([204, 503]);
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'pending', attempts: 1 });
  expect((await deliveryTo('on-call'))?.lastError).toContain('ECONNREFUSED');
  expect(await deliveryTo('host-log')).toMatchObject({ state: 'sent', attempts: 1 });
  mail = await startMailServer({ host: '127.0.0.1', port: Number(new URL(mail.url).port), dir });
  expect(await world.pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'delivered', attempts: 2, lastError: null });
  expect(await deliveryTo('host-log')).toMatchObject({ attempts: 1 });
});

test('a delivery that fails for a day is given up and audited', async () => {
  refusal = { code: 451, text: 'later' };
  await world.raise();
  await world.pushAll();
  world.deps.advance(24 * 3_600_000 + 1000);
  expect(await world.pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'failed', attempts: 2 });
  expect(await audited()).toHaveLength(1);
});

test('a sender that was killed leaves its delivery to the next message after the lease', async () => {
  await world.raise();
  const killed = `UPDATE deliveries SET lease_holder = $1, leased_until = $2 WHERE channel = 'on-call'`;
  await world.database.db.query(killed, [randomUUID(), new Date(world.deps.now.getTime() + 60_000)]);
  expect(await world.pushAll()).toEqual([204, 503]);
  expect(await readMail(dir)).toEqual([]);
  world.deps.advance(61_000);
  expect(await world.pushAll()).toEqual([204, 204]);
  expect(await readMail(dir)).toHaveLength(1);
});

test('a command that could not be signed is left to the tick, and its line is not delivered yet', async () => {
  const signCommand = () => Promise.reject(new LamplighterError('unavailable', 'sign'));
  const server = await serveHandler(handleNotify({ ...world.deps, signCommand }));
  await world.raise();
  expect(await world.pushAll(server.url)).toEqual([204, 204]);
  await server.close();
  expect(await deliveryTo('host-log')).toMatchObject({ state: 'sent' });
  expect((await world.database.db.query(`SELECT state FROM commands`)).rows).toEqual([
    { state: 'requested' },
  ]);
});

test.each([
  ['no JSON', 'hello'],
  ['another shape', { id: 1 }],
  ['an unknown delivery', { deliveryId: randomUUID() }],
])('a message that is none is acknowledged: %s', async (_name, data) => {
  expect(await world.push(data)).toBe(204);
});

test('a channel that left the runbook fails for good', async () => {
  await world.raise();
  await applyTestRunbook(
    world.database.db,
    'version: 1\nname: x\nhosts: { web-1: { address: 192.0.2.1 } }\n',
  );
  expect(await world.pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('on-call')).toMatchObject({
    state: 'failed',
    lastError: 'the runbook no longer has this channel',
  });
});

test('a channel whose secret the deployment does not have is refused at once, and the next one is told why', async () => {
  await applyTestRunbook(
    world.database.db,
    DEMO_RUNBOOK.replace('kind: email', 'kind: email\n    secret: relay'),
  );
  await world.raise();
  expect(await world.pushAll()).toEqual([204, 204]);
  const lastError = 'find secret relay: CHANNEL_SECRETS has no secret with this name';
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'failed', attempts: 1, lastError });
  expect(await audited()).toHaveLength(1);
  const told = (await world.deliveries()).filter(({ event }) => event === 'undelivered');
  expect(told.map(({ channel }) => channel)).toEqual(['host-log']);
});

test('an alert below a channel’s level does not go there', async () => {
  const { runbook } = await requireRunbook(world.deps.db);
  const symptom = { ...jobFailed.on('web-1', { job: 'backup' }), reason: 'y' };
  const quiet = { ...runbook, severityRules: [{ when: {}, severity: 'P4' as const }] };
  await changeAlerts(world.deps, quiet, (alerts) => raiseAlert(alerts, symptom));
  const [alert] = await listAlertViews(world.deps.db, { limit: 1 });
  expect(alert).toMatchObject({ level: 'INFO' });
  expect(alert?.deliveries.map(({ channel }) => channel)).toEqual(['host-log']);
});
