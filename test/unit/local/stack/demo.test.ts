import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { demoPolicy, demoRunbook } from '#local/stack/demo.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { permitHealth } from '#shared/operations/service.ts';
import { Policy } from '#shared/policy/policy.ts';
import { parseRunbook } from '#shared/runbook/parse.ts';

const RECIPIENT = `age1${'p'.repeat(58)}`;
const SUPERVISED = {
  kind: 'supervised',
  address: '127.0.0.1',
  path: (path: string) => join('/tmp/lamp', path),
  port: (port: number) => port + 10_000,
} as const;

function readRunbook(host: Parameters<typeof demoRunbook>[0]) {
  const parsed = parseRunbook(demoRunbook(host), CATALOGUE);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.runbook;
}

test('on a supervised host everything lies below its root, on ports of its own', () => {
  const runbook = readRunbook(SUPERVISED);
  expect(runbook.hosts).toMatchObject({ 'web-1': { address: '127.0.0.1' } });
  expect(runbook.services.postgres).toMatchObject({
    unit: 'postgresql.service',
    port: 15_432,
    health: { tcp: { port: 15_432 } },
  });
  expect(runbook.services.web).toMatchObject({ port: 18_080, health: { http: { port: 18_080 } } });
  expect(runbook.checks['engines-api']).toMatchObject({
    http: { url: 'http://{address}:10080/api/engines' },
  });
  expect(runbook.checks['proxy-port']).toMatchObject({ tcp: { port: 10_080 } });
  const policy = Policy.parse(parse(demoPolicy(SUPERVISED, RECIPIENT, 'ws://127.0.0.1:8090')));
  expect(policy.alertLogs).toEqual(['/tmp/lamp/opt/app/logs/alerts.jsonl']);
  expect(runbook.channels['host-log']).toMatchObject({ path: policy.alertLogs[0] });
  expect(policy.units['postgresql.service']).toEqual(['status', 'logs', 'restart']);
  expect(policy.databases.analytics).toMatchObject({
    socketDir: '/tmp/lamp/var/run/postgresql',
    port: 15_432,
  });
  expect(policy.relays).toEqual(['ws://127.0.0.1:8090']);
  for (const { health } of Object.values(runbook.services))
    expect(permitHealth(health, policy)).toEqual({ allowed: true });
  expect(policy.backup).toMatchObject({ localDir: '/tmp/lamp/opt/app/backups', recipients: [RECIPIENT] });
  expect(policy.backup?.configPaths.every((path) => path.startsWith('/tmp/lamp/'))).toBe(true);
});
