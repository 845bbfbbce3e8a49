// Answers of the API, as a small platform at one moment gives them.

import type { BackupView, CommandDetail, CommandView, StatusView } from '#shared/api/views.ts';
import type { UnitStatus } from '#shared/command/report.ts';

export const NOW = '2026-11-23T08:30:00.000Z';
export const COMMAND_ID = '019b1d3c-7a00-7000-8000-00000000c0de';

export const UNIT: UnitStatus = {
  unit: 'app-web.service',
  loadState: 'loaded',
  activeState: 'active',
  subState: 'running',
  mainPid: 4321,
  restarts: 0,
  activeSince: '2026-11-23T08:29:51.000Z',
  memoryBytes: 41_200_000,
};

export function command(more: Partial<Record<keyof CommandView, unknown>> = {}): CommandView {
  return {
    id: COMMAND_ID,
    operation: 'service.restart',
    host: 'vm-1',
    params: { service: 'web' },
    dryRun: false,
    actor: { kind: 'token', name: 'ada', role: 'responder' },
    state: 'succeeded',
    code: null,
    message: null,
    hint: null,
    result: { unit: UNIT, healthy: true },
    steps: [],
    output: [],
    requestedAt: '2026-11-23T08:29:50.000Z',
    expiresAt: '2026-11-23T08:34:50.000Z',
    finishedAt: '2026-11-23T08:29:52.400Z',
    ...more,
  } as CommandView;
}

export function running(): CommandView {
  return command({ state: 'running', result: null, finishedAt: null });
}

export function stepEvent(seq: number, step: string, phase: 'begin' | 'end', ok?: boolean) {
  const at = new Date(Date.parse('2026-11-23T08:29:50.000Z') + seq * 200).toISOString();
  return { seq, at, kind: 'step' as const, step, phase, ...(ok === undefined ? {} : { ok }) };
}

export const EVENTS: CommandDetail['events'] = [
  { seq: 1, at: '2026-11-23T08:29:50.100Z', kind: 'state', state: 'sent' },
  { seq: 2, at: '2026-11-23T08:29:50.300Z', kind: 'state', state: 'accepted' },
  stepEvent(3, 'restart app-web.service', 'begin'),
  stepEvent(4, 'restart app-web.service', 'end', true),
  stepEvent(5, 'wait until healthy', 'begin'),
  stepEvent(6, 'wait until healthy', 'end', true),
];

export function backup(more: Partial<Record<keyof BackupView, unknown>> = {}): BackupView {
  return {
    id: '20261123T020000Z-1f3a9c',
    host: 'vm-1',
    database: 'analytics',
    startedAt: '2026-11-23T02:00:00.000Z',
    finishedAt: '2026-11-23T02:01:10.000Z',
    bytes: 412_345_678,
    tables: 12,
    rows: 310_001,
    proof: { state: 'verified', at: '2026-11-23T02:03:00.000Z', faults: [] },
    ...more,
  } as BackupView;
}

export const STATUS: StatusView = {
  at: NOW,
  runbook: { name: 'demo', version: 3, appliedAt: '2026-11-20T08:00:00.000Z' },
  hosts: [
    {
      name: 'vm-1',
      address: '10.177.0.2',
      online: true,
      lastHeartbeatAt: '2026-11-23T08:29:48.000Z',
      agentVersion: '0.1.0',
      vitals: {
        bootId: 'b',
        uptimeS: 90_000,
        load: [0.12, 0.1, 0.08],
        memory: { totalBytes: 4_000_000_000, availableBytes: 3_000_000_000 },
        disks: [{ mount: '/', totalBytes: 100, freeBytes: 59 }],
      },
    },
  ],
  services: [
    {
      name: 'web',
      host: 'vm-1',
      unit: 'app-web.service',
      description: null,
      activeState: 'active',
      subState: 'running',
      activeSince: '2026-11-23T05:30:00.000Z',
      restarts: 0,
    },
    {
      name: 'orchestrator',
      host: 'vm-1',
      unit: 'app-orchestrator.service',
      description: null,
      activeState: 'failed',
      subState: 'failed',
      activeSince: null,
      restarts: 5,
    },
  ],
  checks: [
    {
      name: 'web-engines',
      host: 'vm-1',
      service: 'web',
      state: 'failing',
      since: '2026-11-23T08:28:00.000Z',
      lastRunAt: '2026-11-23T08:29:30.000Z',
      latencyMs: 12.4,
      detail:
        'status 502, expected 200; body begins with "<html>" and goes on for long enough to be cut off here',
    },
  ],
  alerts: [
    {
      id: '019b1d3c-7a00-4000-8000-00000000a1e7',
      condition: 'check-failing',
      kind: 'check',
      state: 'firing',
      level: 'CRITICAL',
      severity: 'P1',
      host: 'vm-1',
      check: 'web-engines',
      service: 'web',
      summary: 'web-engines fails: 引擎 🔥 status 502',
      firedAt: '2026-11-23T08:28:00.000Z',
      resolvedAt: null,
      incident: 'INC-12',
      deliveries: [
        {
          channel: 'mail',
          event: 'firing',
          recipient: 'on-call@example.com',
          state: 'delivered',
          attempts: 1,
          deliveredAt: '2026-11-23T08:28:02.000Z',
          lastError: null,
        },
      ],
    },
  ],
  incidents: [
    {
      id: 'INC-12',
      severity: 'P1',
      state: 'open',
      title: 'web-engines fails',
      openedAt: '2026-11-23T08:28:00.000Z',
      acknowledgedAt: null,
      acknowledgedBy: null,
      respondBy: '2026-11-23T08:43:00.000Z',
      resolvedAt: null,
      timeline: [
        { at: '2026-11-23T08:28:00.000Z', kind: 'opened', text: 'opened by web-engines', actor: null },
      ],
    },
  ],
  commands: [command()],
  lastBackup: backup(),
};
