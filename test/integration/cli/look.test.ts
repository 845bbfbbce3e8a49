import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { displayWidth } from '#cli/output/width.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { roleNeededFor } from '#shared/role.ts';
import { backup, COMMAND_ID, command, EVENTS, NOW, STATUS } from './samples.ts';
import { lamp, type ScriptedApi, startScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  vi.stubEnv('TZ', 'UTC');
  api = await startScriptedApi();
  api.on('GET /v1/status', () => ({ body: STATUS }));
  api.on('GET /v1/alerts', ({ query }) => ({ body: query.get('state') === 'firing' ? STATUS.alerts : [] }));
  api.on('GET /v1/incidents', () => ({ body: STATUS.incidents }));
  api.on('GET /v1/backups', () => ({ body: [backup()] }));
  api.on('GET /v1/commands', () => ({ body: STATUS.commands }));
  api.on('GET /v1/operations', () => ({
    body: CATALOGUE.map((operation) => ({
      name: operation.name,
      summary: operation.summary,
      risk: operation.risk,
      role: roleNeededFor(operation),
      params: z.toJSONSchema(operation.params, { io: 'input', unrepresentable: 'any' }),
    })),
  }));
  api.on('GET /v1/audit', () => ({
    body: [
      {
        seq: 41,
        at: NOW,
        actor: 'token:ada',
        action: 'rbac_denied',
        target: 'service.stop',
        detail: { role: 'viewer' },
      },
    ],
  }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await api.close();
});

const nowMs = Date.parse(NOW);

describe('status', () => {
  test('shows everything in 100 columns', async () => {
    const { code, out } = await lamp(['status'], { url: api.url, nowMs });
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "demo  runbook version 3  2026-11-23 08:30:00

      host vm-1  online  heartbeat 12 s ago  memory 25 %  / 41 %  load 0.12 0.10 0.08  up 25 h

      SERVICE       STATE             SINCE    RESTARTS  HOST  UNIT
      web           active (running)  3 h ago         0  vm-1  app-web.service
      orchestrator  failed            -               5  vm-1  app-orchestrator.service

      CHECK        STATE    SINCE      LAST RUN  LATENCY  DETAIL
      web-engines  failing  2 min ago  30 s ago    12 ms  status 502, expected 200; body begins with "<ht…

      ALERT   SEV  LEVEL     FIRED      ABOUT  SUMMARY                                TOLD
      firing  P1   CRITICAL  2 min ago  web    web-engines fails: 引擎 🔥 status 502  mail ok

      INCIDENT  SEV  STATE  OPENED     RESPOND        TITLE
      INC-12    P1   open   2 min ago  within 13 min  web-engines fails

      COMMAND   OPERATION            STATE      ASKED      TOOK  BY
      0000c0de  service.restart web  succeeded  10 s ago  2.4 s  ada

      Last backup 1f3a9c  6 h ago  verified 6 h ago  412 MB, 310,001 rows in 12 tables
      "
    `);
  });

  test('keeps to the width of a narrow terminal where a column can give way', async () => {
    const { out } = await lamp(['status'], { url: api.url, nowMs, columns: 80 });
    const checks = out
      .split('\n')
      .filter((line) => line.startsWith('web-engines') || line.startsWith('firing'));
    expect(checks).toHaveLength(2);
    for (const row of checks) expect(displayWidth(row)).toBeLessThanOrEqual(80);
    expect(out).toContain('…');
  });

  test('--json is what the API said', async () => {
    const { out } = await lamp(['status', '--json'], { url: api.url });
    expect(JSON.parse(out)).toEqual(STATUS);
  });

  test('has colours on a terminal, and none against NO_COLOR or --no-color', async () => {
    const colour = '\u001b[32mactive (running)';
    expect((await lamp(['status'], { url: api.url, isTty: true })).out).toContain(colour);
    const plain = [
      await lamp(['status'], { url: api.url, isTty: true, env: { NO_COLOR: '1' } }),
      await lamp(['status', '--no-color'], { url: api.url, isTty: true }),
      await lamp(['status'], { url: api.url }),
    ];
    for (const { out } of plain) expect(out).not.toContain('\u001b');
  });

  test('a host can not drive the terminal', async () => {
    const evil = {
      ...STATUS,
      checks: [{ ...STATUS.checks[0], detail: '\u001b]0;title\u0007\u202e\r\nfake' }],
    };
    api.on('GET /v1/status', () => ({ body: evil }));
    const { out } = await lamp(['status'], { url: api.url });
    expect(out).toContain('\\x1b]0;title\\x07\\u202e\\r\\nfake');
  });
});

test('an intact backup is never shown as verified, and what is not proven is said', async () => {
  const proof = { state: 'intact', at: '2026-11-23T02:03:00.000Z', faults: [], notProven: ['what it holds'] };
  api.on('GET /v1/backups', () => ({ body: [backup({ proof })] }));
  const { out } = await lamp(['backups'], { url: api.url, nowMs, isTty: true });
  expect(out).toMatch(/310,001 +intact 6 h ago/);
  expect(out).toContain('not proven: what it holds');
  for (const good of ['verified', '\u001b[32m']) expect(out).not.toContain(good);
});

describe('lists', () => {
  test.each([
    [['check'], 1, /^CHECK +STATE[^]*web-engines +failing/],
    [['alerts'], 0, /P1 +CRITICAL[^]*mail ok/],
    [['alerts', '--all'], 0, /No alert so far/],
    [['incidents'], 0, /INC-12 +P1 +open +2 min ago +within 13 min +web-engines fails/],
    [['incidents', 'inc-12'], 0, /2026-11-23 08:28:00 {2}opened by web-engines/],
    [['incidents', 'INC-99'], 2, /^$/],
    [['backups'], 0, /analytics +6 h ago +412 MB +12 +310,001 +verified 6 h ago/],
    [['commands'], 0, /service\.restart web +succeeded +10 s ago +2\.4 s +ada/],
    [['audit', '--action', 'rbac_denied'], 0, /41 +2026-11-23 08:30:00 +token:ada +rbac_denied/],
    [['operations'], 0, /service\.logs +responder +service \[lines\] \[since\] .*Read a service's journal/],
  ])('%j', async (args, exitCode, pattern) => {
    const { code, out } = await lamp(args, { url: api.url, nowMs });
    expect(code).toBe(exitCode);
    expect(out).toMatch(pattern);
    for (const row of out.split('\n')) expect(displayWidth(row)).toBeLessThanOrEqual(100);
    const json = await lamp([...args, '--json'], { url: api.url, nowMs });
    expect(json.code).toBe(exitCode);
    JSON.parse(json.out);
  });

  test('check --now runs them, and fails with them', async () => {
    api.on('POST /v1/checks/run', () => ({ body: [{ ...STATUS.checks[0], state: 'passing' }] }));
    expect(await lamp(['check', '--now'], { url: api.url, nowMs })).toMatchObject({ code: 0 });
  });

  test('ack shows the incident as it is now', async () => {
    api.on('POST /v1/incidents/INC-12/ack', () => ({
      body: { ...STATUS.incidents[0], state: 'acknowledged', acknowledgedBy: 'ada', acknowledgedAt: NOW },
    }));
    expect((await lamp(['ack', 'INC-12'], { url: api.url, nowMs })).out).toMatch(/acknowledged .* by ada/);
  });

  test('one command: its steps and its end', async () => {
    const steps = [
      { name: 'restart', outcome: 'done', startedAt: NOW, durationMs: 1200 },
      {
        name: 'wait until healthy',
        outcome: 'failed',
        startedAt: NOW,
        durationMs: 30_000,
        detail: 'HTTP 502',
      },
    ];
    const failed = command({ state: 'failed', code: 'unhealthy', message: 'no', result: null, steps });
    api.on(`GET /v1/commands/${COMMAND_ID}`, () => ({
      body: { command: failed, events: EVENTS, contact: null },
    }));
    const { code, out } = await lamp(['commands', COMMAND_ID], { url: api.url, nowMs });
    expect(code).toBe(0);
    expect(out).toMatch(/asked 2026-11-23 08:29:50 by ada \(token, responder\)/);
    expect(out).toMatch(/failed +wait until healthy +30\.0 s +HTTP 502/);
  });
});

describe('logs', () => {
  function willAnswer(result: unknown, more = {}): void {
    api.on('POST /v1/commands', () => ({ body: { id: COMMAND_ID, host: 'vm-1' } }));
    const logs = command({ operation: 'service.logs', result, ...more });
    api.on(`GET /v1/commands/${COMMAND_ID}`, () => ({ body: { command: logs, events: [], contact: null } }));
  }

  test('prints lines with their time, harmless on a terminal', async () => {
    willAnswer({
      lines: [
        { at: '2026-11-23T08:20:27.123Z', priority: 6, message: 'listening on 8080' },
        { at: '2026-11-23T08:20:28.000Z', priority: 3, message: 'Error: no\n    at x\u001b[2J' },
      ],
      truncated: true,
    });
    const { code, out, err } = await lamp(['logs', 'web', '-n', '2', '--since', '10m'], {
      url: api.url,
      nowMs,
    });
    expect(code).toBe(0);
    expect(out).toBe(
      '2026-11-23 08:20:27  listening on 8080\n2026-11-23 08:20:28  Error: no\n                         at x\\x1b[2J\n',
    );
    expect(err).toContain('older lines were left out');
    const body = JSON.parse(api.asked[0]?.body ?? '');
    expect(body.params).toEqual({ service: 'web', lines: 2, since: '2026-11-23T08:20:00.000Z' });
  });

  test('times, priority and text go with the question, and an early end of the search is told', async () => {
    willAnswer({ lines: [], truncated: false, searched: 20_000 });
    const times = ['--since', '30 min ago', '--until', '5m'];
    const { code, err } = await lamp(['logs', 'web', ...times, '--priority', 'warn', '--grep', 'time out'], {
      url: api.url,
      nowMs,
    });
    expect(code).toBe(0);
    expect(err).toBe('no lines\nonly the newest 20,000 lines were searched; for older ones: --until\n');
    expect(JSON.parse(api.asked[0]?.body ?? '').params).toEqual({
      service: 'web',
      lines: 50,
      since: '2026-11-23T08:00:00.000Z',
      until: '2026-11-23T08:25:00.000Z',
      priority: 'warning',
      grep: 'time out',
    });
  });

  test('says why when there are none to read', async () => {
    willAnswer(null, { state: 'rejected', code: 'not-in-policy', message: 'the policy does not allow logs' });
    const { code, err } = await lamp(['logs', 'web'], { url: api.url });
    expect(code).toBe(3);
    expect(err).toContain('(not-in-policy): the policy does not allow logs');
  });
});
