// From an alert's change to its channels: the real outbox, the real entry point, a real SMTP server.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeAlerts, raiseAlert, settleAlert } from '#functions/alert/change.ts';
import { handleNotify } from '#functions/alert/notify-handler.ts';
import { listAlertViews } from '#functions/alert/view.ts';
import { listAudit } from '#functions/store/audit.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { readMail } from '#local/mail/read.ts';
import { type MailServer, startMailServer } from '#local/mail/server.ts';
import { AlertLine } from '#shared/alert/event.ts';
import { LamplighterError } from '#shared/errors.ts';
import { ALERTS_TOPIC } from '#shared/topology.ts';
import { applyTestRunbook, enrolTestHost } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let dir: string;
let mail: MailServer;
let database: TestDatabase;
let deps: TestDeps;
let server: FunctionServer;
let refusal: { code: number; text: string } | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-notify-'));
  refusal = undefined;
  mail = await startMailServer({ host: '127.0.0.1', port: 0, dir, refuse: () => refusal });
  database = await createTestDatabase();
  deps = createTestDeps(
    database.db,
    {},
    { SMTP_URL: mail.url, MAIL_FROM: 'Lamplighter <lamp@example.com>', API_URL: 'https://lamp.example.com' },
  );
  await applyTestRunbook(database.db);
  await enrolTestHost(database.db, 'web-1');
  server = await serveHandler(handleNotify(deps));
});
afterEach(async () => {
  await server.close();
  await mail.close();
  await database.drop();
  rmSync(dir, { recursive: true, force: true });
});

const KEY = { kind: 'check', host: 'web-1', subject: 'engines-api' } as const;
async function raise(): Promise<void> {
  const { runbook } = await requireRunbook(deps.db);
  const facts = {
    ...KEY,
    service: 'web',
    title: 'engines-api is failing',
    reason: 'status 502, expected 200',
    evidence: ['10:00:00  bad  status 502, expected 200'],
  };
  await changeAlerts(deps, async (tx) => [await raiseAlert(tx, facts, runbook, deps.now)]);
}
async function settle(): Promise<void> {
  const { runbook } = await requireRunbook(deps.db);
  await changeAlerts(deps, async (tx) => [
    await settleAlert(tx, KEY, 'engines-api is passing again: status 200', runbook, deps.now),
  ]);
}
async function push(data: unknown): Promise<number> {
  const message = {
    data: Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)).toString('base64'),
    messageId: randomUUID(),
  };
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer x.y.z' },
    body: JSON.stringify({ message, subscription: 'projects/p/subscriptions/alerts' }),
  });
  return response.status;
}
/** Pushes every message of the topic once; the answers' status codes. */
async function pushAll(): Promise<number[]> {
  const messages = deps.published.filter(({ topic }) => topic === ALERTS_TOPIC);
  const statuses = await Promise.all(messages.map(({ message }) => push(message.data.toString())));
  return statuses.toSorted((a, b) => a - b);
}
async function deliveryTo(channel: string) {
  const [alert] = await listAlertViews(deps.db, { limit: 1 });
  return alert?.deliveries.find((delivery) => delivery.channel === channel);
}
const appended = () =>
  database.db.query(`SELECT params FROM commands WHERE operation = 'alert.append' ORDER BY requested_at`);

test('an alert is mailed and written on the host, each once, however often the messages come', async () => {
  await raise();
  await raise();
  expect(await pushAll()).toEqual([204, 204]);
  expect(await pushAll()).toEqual([204, 204]);
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
  expect(deps.published.filter(({ topic }) => topic === 'commands-web-1')).toHaveLength(1);
});

test('a mail says what, since when, the evidence and what to do next', async () => {
  await raise();
  await pushAll();
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
    'https://lamp.example.com/v1/incidents',
  ]) {
    expect(sent?.text).toContain(part);
  }
  expect(sent?.headers.get('auto-submitted')).toBe('auto-generated');
});

test('the end of an alert is mailed in the same thread', async () => {
  await raise();
  deps.advance(252_000);
  await settle();
  await settle();
  await pushAll();
  const mails = await readMail(dir);
  const end = mails.find(({ subject }) => subject === '[resolved] P1 web-1: engines-api is failing');
  expect(mails).toHaveLength(2);
  expect(end?.text).toContain('(4 min 12 s)');
  expect(new Set(mails.map(({ headers }) => headers.get('references'))).size).toBe(1);
  expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(2);
});

test('two pushes of one message at the same time send one mail; the later is asked to come again', async () => {
  await raise();
  const [first] = deps.published;
  const statuses = await Promise.all([1, 2, 3].map(() => push(first!.message.data.toString())));
  for (const status of statuses) expect([204, 503]).toContain(status);
  await pushAll();
  expect((await readMail(dir)).length + (await appended()).rowCount).toBe(2);
});

test('a server that is away is tried again, and the delivery says why until then', async () => {
  await raise();
  await mail.close();
  expect(await pushAll()).toEqual([204, 503]);
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'pending', attempts: 1 });
  expect((await deliveryTo('on-call'))?.lastError).toContain('ECONNREFUSED');
  expect(await deliveryTo('host-log')).toMatchObject({ state: 'delivered', attempts: 1 });
  mail = await startMailServer({ host: '127.0.0.1', port: Number(new URL(mail.url).port), dir });
  expect(await pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'delivered', attempts: 2, lastError: null });
  expect(await deliveryTo('host-log')).toMatchObject({ attempts: 1 });
});

test.each([
  [451, 503, 'pending'],
  [550, 204, 'failed'],
])('an answer %i leads to %i and a delivery that is %s', async (code, status, state) => {
  refusal = { code, text: 'no' };
  await raise();
  expect(await pushAll()).toEqual([204, status]);
  expect(await deliveryTo('on-call')).toMatchObject({ state });
  const audited = await listAudit(deps.db, { action: 'delivery.failed', limit: 10 });
  expect(audited).toHaveLength(state === 'failed' ? 1 : 0);
});

test('a delivery that fails for a day is given up and audited', async () => {
  refusal = { code: 451, text: 'later' };
  await raise();
  await pushAll();
  deps.advance(24 * 3_600_000 + 1000);
  expect(await pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('on-call')).toMatchObject({ state: 'failed', attempts: 2 });
});

test('a sender that was killed leaves its delivery to the next message after the lease', async () => {
  await raise();
  const killed = `UPDATE deliveries SET lease_id = $1, leased_until = $2 WHERE channel = 'on-call'`;
  await database.db.query(killed, [randomUUID(), new Date(deps.now.getTime() + 60_000)]);
  expect(await pushAll()).toEqual([204, 503]);
  expect(await readMail(dir)).toEqual([]);
  deps.advance(61_000);
  expect(await pushAll()).toEqual([204, 204]);
  expect(await readMail(dir)).toHaveLength(1);
});

test('a command that could not be signed still counts as delivered: the tick sends it', async () => {
  await server.close();
  const unsigned = {
    ...deps,
    signCommand: () => Promise.reject(new LamplighterError('unavailable', 'sign')),
  };
  server = await serveHandler(handleNotify(unsigned));
  await raise();
  expect(await pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('host-log')).toMatchObject({ state: 'delivered' });
  expect((await database.db.query(`SELECT state FROM commands`)).rows).toEqual([{ state: 'requested' }]);
});

test.each([
  ['no JSON', 'hello'],
  ['another shape', { id: 1 }],
  ['an unknown delivery', { deliveryId: randomUUID() }],
])('a message that is none is acknowledged: %s', async (_name, data) => {
  expect(await push(data)).toBe(204);
});

test('a channel that left the runbook fails for good', async () => {
  await raise();
  await applyTestRunbook(database.db, 'version: 1\nname: x\nhosts: { web-1: { address: 192.0.2.1 } }\n');
  expect(await pushAll()).toEqual([204, 204]);
  expect(await deliveryTo('on-call')).toMatchObject({
    state: 'failed',
    lastError: 'the runbook no longer has this channel',
  });
});

test('an alert below a channel’s level does not go there', async () => {
  const { runbook } = await requireRunbook(deps.db);
  const facts = { kind: 'command', host: 'web-1', subject: 'backup', title: 'x', reason: 'y' } as const;
  const quiet = { ...runbook, severityRules: [{ when: {}, severity: 'P4' as const }] };
  await changeAlerts(deps, async (tx) => [await raiseAlert(tx, facts, quiet, deps.now)]);
  const [alert] = await listAlertViews(deps.db, { limit: 1 });
  expect(alert).toMatchObject({ level: 'INFO' });
  expect(alert?.deliveries.map(({ channel }) => channel)).toEqual(['host-log']);
});
