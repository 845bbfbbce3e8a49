import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { viewPlatform } from '#functions/host/view.ts';
import type { HostState } from '#functions/store/hosts.ts';
import { HostView, ServiceView } from '#shared/api/views.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { parseRunbook } from '#shared/runbook/parse.ts';

const text = readFileSync(join(import.meta.dirname, '../../../../local/demo/runbook.yaml'), 'utf8');
const parsed = parseRunbook(text, CATALOGUE);
const runbook = parsed.ok ? parsed.runbook : undefined;
const NOW = new Date('2026-11-23T10:00:00.000Z');

function heardAgo(seconds: number): HostState {
  const receivedAt = new Date(NOW.getTime() - seconds * 1000);
  return {
    host: 'web-1',
    reportedAt: receivedAt,
    receivedAt,
    agentVersion: '1.0.0',
    policyHash: 'p',
    runningCommands: [],
    vitals: {
      bootId: 'b',
      uptimeS: 5,
      load: [0.1, 0.2, 0.3],
      memory: { totalBytes: 10, availableBytes: 5 },
      disks: [],
      units: [
        {
          unit: 'app-web.service',
          loadState: 'loaded',
          activeState: 'active',
          subState: 'running',
          mainPid: 17,
          restarts: 2,
          activeSince: '2026-11-23T09:00:00.000Z',
          memoryBytes: null,
        },
      ],
    },
  } as HostState;
}

test('a host that was heard of lately is online, and its units are as it said', () => {
  const { hosts, services } = viewPlatform(runbook, [heardAgo(90)], NOW);
  expect(HostView.array().parse(hosts)).toMatchObject([
    { name: 'web-1', online: true, vitals: { uptimeS: 5 } },
  ]);
  expect(hosts[0]?.vitals).not.toHaveProperty('units');
  const [web, orchestrator] = ServiceView.array().parse(services);
  expect(web).toMatchObject({ name: 'web', activeState: 'active', restarts: 2 });
  expect(orchestrator).toMatchObject({ name: 'orchestrator', activeState: 'unknown', restarts: null });
});

test('a host that is silent is offline, and nothing is claimed of its services', () => {
  const { hosts, services } = viewPlatform(runbook, [heardAgo(91)], NOW);
  expect(hosts).toMatchObject([{ online: false, lastHeartbeatAt: '2026-11-23T09:58:29.000Z' }]);
  expect(services.every(({ activeState }) => activeState === 'unknown')).toBe(true);
});

test('a host that never spoke has no vitals', () => {
  const { hosts } = viewPlatform(runbook, [], NOW);
  expect(HostView.array().parse(hosts)).toMatchObject([
    { online: false, lastHeartbeatAt: null, vitals: null },
  ]);
});

test('without a runbook there is nothing', () => {
  expect(viewPlatform(undefined, [heardAgo(1)], NOW)).toEqual({ hosts: [], services: [] });
});
