import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeAlerts, raiseAlert, resolveAlert, type Symptom } from '#functions/alert/change.ts';
import { listAlertViews } from '#functions/alert/view.ts';
import { handleApi } from '#functions/api/handler.ts';
import { checkFailing } from '#functions/check/conditions.ts';
import { listIncidentViews } from '#functions/incident/view.ts';
import { listAudit } from '#functions/store/audit.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { createToken } from '#functions/store/tokens.ts';
import { AlertView, CheckView, IncidentView } from '#shared/api/views.ts';
import type { Role } from '#shared/role.ts';
import { applyTestRunbook } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
beforeEach(async () => {
  database = await createTestDatabase();
  deps = createTestDeps(database.db);
  await applyTestRunbook(database.db);
});
afterEach(() => database.drop());

const failing = (check: string, reason: string): Symptom => ({
  ...checkFailing.on('web-1', { check }),
  reason,
});
const API = failing('engines-api', 'status 502');
const PORT = failing('proxy-port', 'refused');

async function raise(...all: Symptom[]): Promise<void> {
  const { runbook } = await requireRunbook(deps.db);
  for (const symptom of all) await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom));
}
async function settle(symptom: Symptom): Promise<void> {
  const { runbook } = await requireRunbook(deps.db);
  await changeAlerts(deps, runbook, (alerts) => resolveAlert(alerts, symptom, `${symptom.subject} ok`));
}
const incidents = () => listIncidentViews(deps.db, { limit: 10 });

test('the first alert opens an incident with its severity and its time to respond', async () => {
  await raise(API);
  expect(await incidents()).toMatchObject([
    {
      id: 'INC-1',
      severity: 'P1',
      state: 'open',
      title: 'engines-api is failing',
      openedAt: '2026-11-23T10:00:00.000Z',
      respondBy: '2026-11-23T10:15:00.000Z',
    },
  ]);
});

test('another alert on the host joins the open incident, and a worse one raises it', async () => {
  await raise(PORT);
  deps.advance(60_000);
  await raise(API);
  const [incident, ...others] = await incidents();
  expect(others).toEqual([]);
  expect(incident).toMatchObject({
    severity: 'P1',
    title: 'engines-api is failing',
    respondBy: '2026-11-23T10:16:00.000Z',
  });
  expect(incident?.timeline.map(({ kind }) => kind)).toEqual([
    'opened',
    'alert-firing',
    'alert-firing',
    'severity',
  ]);
});

test('an incident is resolved when the last of its alerts has ended, and the next alert opens a new one', async () => {
  await raise(API, PORT);
  await settle(API);
  expect((await incidents())[0]?.state).toBe('open');
  await settle(PORT);
  expect((await incidents())[0]).toMatchObject({ state: 'resolved', resolvedAt: '2026-11-23T10:00:00.000Z' });
  await raise(API);
  expect((await incidents()).map(({ id, state }) => [id, state])).toEqual([
    ['INC-2', 'open'],
    ['INC-1', 'resolved'],
  ]);
});

test('another reason of a firing alert is its latest, told once in the incident, and by no other message', async () => {
  const count = async () => (await database.db.query('SELECT 1 FROM deliveries')).rowCount;
  const latest = async () => (await listAlertViews(deps.db, { limit: 5 })).map(({ summary }) => summary);
  const slow = (ms: number) => ({ ...API, reason: `answered after ${ms} ms, allowed 5000 ms` });
  const first = { ...API, reason: 'status 502; app-web.service was killed, signal 9, 7 s before' };
  await raise(first);
  const before = await count();
  await raise(API);
  expect(await latest()).toEqual([`engines-api is failing: ${first.reason}`]);
  await raise(slow(5034), slow(6001));
  expect(await latest()).toEqual([
    `engines-api is failing: ${slow(6001).reason} (at first: ${first.reason})`,
  ]);
  await raise(API, slow(5100), API);
  expect(await latest()).toEqual([`engines-api is failing: ${first.reason}`]);
  expect(await count()).toBe(before);
  expect((await incidents())[0]?.timeline.map(({ kind, text }) => `${kind} ${text}`).slice(1)).toEqual([
    `alert-firing engines-api is failing: ${first.reason}`,
    `alert-reason engines-api is failing: ${slow(5034).reason}`,
  ]);
});

test('an alert has at most twenty lines about changed reasons in its incident, and takes none from another', async () => {
  await raise(API, PORT, ...Array.from({ length: 30 }, (_, n) => ({ ...API, reason: `error ${n}` })));
  await raise({ ...PORT, reason: 'no route' });
  const lines = (await incidents())[0]?.timeline.filter(({ kind }) => kind === 'alert-reason') ?? [];
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)?.text).toBe('proxy-port is failing: no route');
});

test('an alert keeps its lines in the incident when its title is worded anew', async () => {
  await raise(API, { ...API, reason: 'refused' });
  const reworded = { ...API, title: 'engines-api does not work' };
  await raise(reworded, { ...reworded, reason: 'refused' });
  expect((await incidents())[0]?.timeline.slice(1)).toHaveLength(2);
  await raise(PORT);
  await settle(API);
  await raise({ ...reworded, reason: 'no route' }, { ...reworded, reason: 'refused' });
  const lines = (await incidents())[0]?.timeline.filter(({ kind }) => kind.startsWith('alert-')) ?? [];
  expect(lines.slice(4).map(({ text }) => text)).toEqual(['engines-api does not work: no route']);
});

test('a job that fails again is no other reason, though each of its commands has an id of its own', async () => {
  const failed = (why: string) => ({ ...API, reason: `command ${randomUUID()} failed (${why})` });
  await raise(failed('busy'), failed('busy'), failed('no room'), failed('busy'), failed('no room'));
  const lines = (await incidents())[0]?.timeline.filter(({ kind }) => kind === 'alert-reason') ?? [];
  expect(lines.map(({ text }) => text)).toEqual([expect.stringMatching(/failed \(no room\)$/)]);
});

test('many alerts at the same time make one incident with a timeline in order', async () => {
  const { runbook } = await requireRunbook(deps.db);
  const all = Array.from({ length: 12 }, (_, i) => failing(`check-${i % 6}`, 'status 502'));
  await Promise.all(
    all.map((symptom) => changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom))),
  );
  const [incident, ...others] = await incidents();
  expect(others).toEqual([]);
  expect(incident?.timeline).toHaveLength(1 + 6);
});

test('an alert that ends while another begins leaves no incident half open', async () => {
  await raise(API);
  await Promise.all([settle(API), raise(PORT)]);
  const open = (await incidents()).filter(({ state }) => state !== 'resolved');
  expect(open).toHaveLength(1);
  await settle(PORT);
  expect((await incidents()).every(({ state }) => state === 'resolved')).toBe(true);
});

test('a transaction that fails leaves neither alert nor incident nor message', async () => {
  const { runbook } = await requireRunbook(deps.db);
  const failing = changeAlerts(deps, runbook, async (alerts) => {
    await raiseAlert(alerts, API);
    throw new Error('killed');
  });
  await expect(failing).rejects.toThrow('killed');
  expect(await incidents()).toEqual([]);
  expect((await database.db.query('SELECT 1 FROM deliveries')).rowCount).toBe(0);
  expect(deps.published).toEqual([]);
});

let server: FunctionServer;
let listener: CommandListener;
async function withApi(work: (call: Call) => Promise<void>): Promise<void> {
  listener = createCommandListener(database.db);
  server = await serveHandler(handleApi(deps, listener));
  const tokens = new Map<Role, string>();
  for (const role of ['viewer', 'responder'] as const)
    tokens.set(role, await createToken(database.db, { name: `${role}-ann`, role }));
  try {
    await work(async (role, method, path) => {
      const response = await fetch(`${server.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${tokens.get(role)}`, 'content-type': 'application/json' },
        ...(method === 'POST' ? { body: '{}' } : {}),
      });
      return { status: response.status, body: await response.json() };
    });
  } finally {
    await server.close();
    await listener.close();
  }
}
type Call = (role: Role, method: string, path: string) => Promise<{ status: number; body: unknown }>;

test('the API lists alerts and incidents, and takes an acknowledgement once', async () => {
  await raise(API);
  await withApi(async (call) => {
    for (const path of ['/v1/alerts?state=firing', '/api/monitoring/alerts']) {
      const { body } = await call('viewer', 'GET', path);
      expect(AlertView.array().parse(body)).toMatchObject([
        { check: 'engines-api', summary: 'engines-api is failing: status 502', incident: 'INC-1' },
      ]);
    }
    expect((await call('viewer', 'GET', '/v1/alerts?state=resolved')).body).toEqual([]);
    expect((await call('viewer', 'GET', '/v1/alerts?state=on')).status).toBe(400);
    expect((await call('viewer', 'POST', '/v1/incidents/INC-1/ack')).status).toBe(403);
    const acknowledged = IncidentView.parse(
      (await call('responder', 'POST', '/v1/incidents/inc-1/ack')).body,
    );
    expect(acknowledged).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'responder-ann' });
    deps.advance(5000);
    const again = await call('responder', 'POST', '/v1/incidents/1/ack');
    expect(again.body).toEqual(acknowledged);
    expect(await listAudit(deps.db, { action: 'incident.acknowledged', limit: 9 })).toMatchObject([
      { target: 'INC-1', actor: 'token:responder-ann' },
    ]);
    expect((await call('responder', 'POST', '/v1/incidents/INC-9/ack')).status).toBe(404);
    expect((await call('responder', 'POST', '/v1/incidents/x/ack')).status).toBe(400);
    await settle(API);
    expect((await call('responder', 'POST', '/v1/incidents/INC-1/ack')).status).toBe(409);
    const { body } = await call('viewer', 'GET', '/v1/incidents?state=unresolved');
    expect(body).toEqual([]);
  });
});

test('the API runs the checks now and answers what they say', async () => {
  await applyTestRunbook(
    database.db,
    `
version: 1
name: x
hosts: { web-1: { address: 127.0.0.1 } }
checks:
  closed: { host: web-1, failureThreshold: 2, recheckDelayMs: 100, tcp: { port: 1 } }
`,
  );
  await withApi(async (call) => {
    expect((await call('viewer', 'POST', '/v1/checks/run')).status).toBe(403);
    const { status, body } = await call('responder', 'POST', '/v1/checks/run');
    expect(status).toBe(200);
    expect(CheckView.array().parse(body)).toMatchObject([
      { name: 'closed', state: 'failing', detail: 'connect refused' },
    ]);
  });
});
