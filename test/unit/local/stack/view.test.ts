import { describe, expect, test } from 'vitest';
import { displayWidth } from '#cli/output/width.ts';
import { ageOf, drawFrame } from '#local/stack/view.ts';
import { StatusView } from '#shared/api/views.ts';

const NOW = '2026-11-23T02:10:00Z';
const status = StatusView.parse({
  at: NOW,
  runbook: { name: 'demo', version: 1, appliedAt: NOW },
  hosts: [
    {
      name: 'web-1',
      address: '10.0.0.2',
      online: true,
      lastHeartbeatAt: '2026-11-23T02:09:48Z',
      agentVersion: '0.1.0',
      vitals: null,
    },
  ],
  services: [
    {
      name: 'web',
      host: 'web-1',
      unit: 'app-web.service',
      description: null,
      activeState: 'active',
      subState: 'running',
      activeSince: '2026-11-22T02:10:00Z',
      restarts: 0,
    },
    {
      name: 'intake',
      host: 'web-1',
      unit: 'app-intake.service',
      description: null,
      activeState: 'failed',
      subState: 'failed',
      activeSince: null,
      restarts: 5,
    },
  ],
  checks: [
    {
      name: 'engines-api',
      host: 'web-1',
      service: 'web',
      state: 'failing',
      since: NOW,
      lastRunAt: NOW,
      latencyMs: null,
      detail: 'status 502, expected 200',
    },
  ],
  alerts: [],
  incidents: [],
  commands: [],
  lastBackup: {
    id: '20261123T020000Z-0197c2',
    host: 'web-1',
    database: 'analytics',
    startedAt: NOW,
    finishedAt: NOW,
    bytes: 12_345_678,
    tables: 9,
    rows: 400_000,
    proof: { state: 'verified', at: '2026-11-23T02:09:00Z', faults: [] },
  },
});

describe('ageOf', () => {
  test.each([
    [null, 'never'],
    ['2026-11-23T02:09:55Z', '5 s'],
    ['2026-11-23T02:00:00Z', '10 min'],
    ['2026-11-22T22:10:00Z', '4 h'],
    ['2026-11-18T02:10:00Z', '5 d'],
    ['2026-11-23T02:10:03Z', '0 s'],
  ])('says the age of %s as %s', (at, age) => {
    expect(ageOf(at, NOW)).toBe(age);
  });
});

describe('drawFrame', () => {
  const frame = { status, url: 'http://127.0.0.1:8321', columns: 100, rows: Infinity };
  const plain = drawFrame({ ...frame, useColour: false });

  test('shows services, the failing check with its reason, and the proof of the last backup', () => {
    const text = plain.join('\n');
    expect(text).toMatch(/web +app-web\.service +active \(running\) +for 24 h/);
    expect(text).toMatch(/intake +app-intake\.service +failed \(failed\)/);
    expect(text).toMatch(/engines-api +failing +status 502, expected 200/);
    expect(text).toMatch(/20261123T020000Z-0197c2 +verified 60 s ago +12\.3 MB, 9 tables, 400,000 rows/);
  });

  test('has no escape codes without colour, and the same text with it', () => {
    expect(plain.join('')).not.toContain('\u001b');
    const coloured = drawFrame({ ...frame, useColour: true });
    const stripped = coloured.map((line) =>
      line
        .split('\u001b[')
        .map((part, i) => (i === 0 ? part : part.replace(/^\d+m/, '')))
        .join(''),
    );
    expect(stripped).toEqual(plain);
  });

  const command = (state: string, message: string | null) => ({
    id: '0197c2aa-0000-7000-8000-000000000001',
    operation: 'service.restart',
    host: 'web-1',
    params: { service: 'web' },
    dryRun: false,
    actor: { kind: 'token', name: 'local-operator', role: 'operator' },
    state,
    code: null,
    message,
    hint: null,
    result: null,
    steps: [],
    output: [],
    requestedAt: NOW,
    expiresAt: NOW,
    finishedAt: NOW,
  });
  const busy = StatusView.parse({
    ...status,
    commands: [
      command('failed', 'check-health: app-web.service is active but did not answer within 30 s'),
      ...Array.from({ length: 9 }, () => command('succeeded', null)),
    ],
  });

  test.each([20, 40, 60, 80, 200])('is never wider than %i columns', (columns) => {
    for (const useColour of [true, false]) {
      const lines = drawFrame({ ...frame, status: busy, columns, useColour });
      // oxlint-disable-next-line no-control-regex -- colours are what is taken out
      const widths = lines.map((line) => displayWidth(line.replace(/\u001b\[\d+m/g, '')));
      expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    }
  });

  test.each([80, 60])('at %i columns names, states and the proof are whole', (columns) => {
    const text = drawFrame({ ...frame, status: busy, columns, useColour: false }).join('\n');
    for (const word of ['web', 'intake', 'active (running)', 'failed (failed)', 'engines-api', 'failing'])
      expect(text).toContain(word);
    expect(text).toMatch(/service\.restart +web +failed/);
    expect(text).toContain('20261123T020000Z-0197c2  verified 60 s ago');
  });

  test.each([23, 14, 11])(
    'no more than %i rows are drawn, and the last backup stays as long as it can',
    (rows) => {
      const lines = drawFrame({ ...frame, status: busy, columns: 80, rows, useColour: false });
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(lines.join('\n').includes('20261123T020000Z-0197c2')).toBe(rows >= 14);
    },
  );

  test('with room enough it says what to try', () => {
    const lines = drawFrame({ ...frame, columns: 80, rows: 23, useColour: false });
    expect(lines.at(-1)).toContain('Ctrl-C');
    expect(lines.join('\n')).toMatch(/npx lamp status +npx lamp restart web +npx lamp backup/);
  });

  test('what a check found can not steer the terminal', () => {
    const [check] = status.checks;
    if (!check) throw new Error('the sample has no check');
    const hostile = { ...check, state: 'failing' as const, detail: 'body \u001b[2J\u009b31m gone' };
    const text = drawFrame({ ...frame, status: { ...status, checks: [hostile] }, useColour: false }).join('');
    expect(text).toContain('body \\x1b[2J\\x9b31m gone');
  });
});
