// Units as systemd has them, through the agent that the installer put on a real host: types, ends, names, time-outs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentHost, POLICY, startAgentHost, waitFor } from '#test/fixtures/agent-host.ts';
import { systemsUnderTest } from '#test/fixtures/systems.ts';
import { DEPLOY_POLICY, DEPLOY_UNITS, deployCases, deployRebootCase } from './deploy-cases.ts';

const STAY = 'ExecStart=/usr/bin/sleep infinity\n';
const BRIEF = { activeForMs: 500 };
const ALL = ['status', 'logs', 'start', 'stop', 'restart', 'reload'];
const INSTANCE = 'wk@-srv-my\\x2dapp.service';

const service = (...lines: string[]): string => `[Service]\n${lines.join('\n')}\n`;

const UNITS: Record<string, string> = {
  'once-well.service': service('Type=oneshot', 'ExecStart=/bin/true'),
  'once-kept.service': service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/true'),
  'once-bad.service': service('Type=oneshot', 'ExecStart=/bin/sh -c "exit 3"'),
  'simple-ends.service': service('ExecStart=/bin/true'),
  'exec-missing.service': service('Type=exec', 'ExecStart=/usr/bin/no-such-program'),
  'idle.service': service('Type=idle', STAY),
  'forks.service': service('Type=forking', 'ExecStart=/bin/sh -c "sleep infinity & exit 0"'),
  'tells.service': service(
    'Type=notify',
    'NotifyAccess=all',
    'ExecStart=/bin/sh -c "sleep 1; systemd-notify --ready; exec sleep infinity"',
  ),
  'never-tells.service': service('Type=notify', 'TimeoutStartSec=2', STAY),
  'skipped.service': `[Unit]\nConditionPathExists=/no/such/file\n${service(STAY)}`,
  'once-skipped.service': `[Unit]\nConditionPathExists=/no/such/file\n${service('Type=oneshot', 'ExecStart=/bin/true')}`,
  'deaf.service': service(
    'TimeoutStopSec=1',
    'ExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"',
  ),
  'loops.service': service('Restart=always', 'RestartSec=100ms', 'ExecStart=/bin/false'),
  // Its start takes longer than any limit that we had. It is requested before the other tests, so that they run meanwhile.
  'patient.service': service('TimeoutStartSec=5min', 'ExecStartPre=/usr/bin/sleep 103', STAY),
  'tick.service': service('Type=oneshot', 'ExecStart=/bin/true'),
  'tick.timer': '[Timer]\nOnCalendar=hourly\n',
  'seen.service': service('Type=oneshot', 'ExecStart=/bin/true'),
  'seen.path': '[Path]\nPathExists=/no/such/file\n',
  'door.service': service(STAY),
  'door.socket': '[Socket]\nListenStream=/run/door.sock\n',
  'mnt.mount': '[Mount]\nWhat=tmpfs\nWhere=/mnt\nType=tmpfs\n',
  'group.target': '[Unit]\nDescription=a group\n',
  'room.slice': '[Slice]\n',
  'wk@.service': service('ExecStart=/bin/sh -c "echo instance %I; exec sleep infinity"'),
  ...DEPLOY_UNITS,
};
const NAMES = [...Object.keys(UNITS).filter((name) => name !== 'wk@.service'), INSTANCE];
const POLICY_HERE = {
  ...DEPLOY_POLICY,
  operations: [...POLICY.operations, ...DEPLOY_POLICY.operations],
  units: Object.fromEntries(NAMES.map((name) => [name, [...ALL]])),
  healthChecks: [
    ...[6000, 10080, 8099].map((port) => ({ port, paths: ['/#x'] })),
    ...DEPLOY_POLICY.healthChecks,
  ],
};

for (const { name, canBoot, terms } of await systemsUnderTest()) {
  describe.skipIf(!canBoot)(`units of a real host, on ${name}`, () => {
    let host: AgentHost;
    let patient: { id: string };
    // Before systemd 250 the failed condition cannot be queried.
    const unmet = name === 'Debian 11' ? 'a condition of its unit file' : 'ConditionPathExists=/no/such/file';

    const ask = (verb: string, unit: string, more: object = {}) =>
      host.send({ operation: `service.${verb}`, spec: { unit, health: BRIEF, ...more }, timeoutMs: 600_000 });

    async function end(verb: string, unit: string) {
      const { report } = await host.finished((await ask(verb, unit)).id);
      return report;
    }

    beforeAll(async () => {
      host = await startAgentHost({ policy: POLICY_HERE, units: UNITS, ...terms });
      await host.sh('systemctl daemon-reload');
      patient = await ask('start', 'patient.service');
    });
    afterAll(async () => {
      await host?.close();
    });

    test.each([
      ['once-well.service', { activeState: 'inactive', subState: 'dead', result: 'success' }],
      ['once-kept.service', { activeState: 'active', subState: 'exited' }],
      ['idle.service', { activeState: 'active', subState: 'running' }],
      ['forks.service', { activeState: 'active', subState: 'running' }],
      ['tells.service', { activeState: 'active', subState: 'running' }],
      ['tick.timer', { activeState: 'active', subState: 'waiting' }],
      ['seen.path', { activeState: 'active', subState: 'waiting' }],
      ['door.socket', { activeState: 'active', subState: 'listening' }],
      ['mnt.mount', { activeState: 'active', subState: 'mounted' }],
      ['group.target', { activeState: 'active', subState: 'active' }],
      ['room.slice', { activeState: 'active', subState: 'active' }],
      [INSTANCE, { activeState: 'active', subState: 'running' }],
    ])('%s is started, and is %j', async (unit, state) => {
      expect(await end('start', unit)).toMatchObject({
        state: 'succeeded',
        result: { unit: { unit, ...state } },
      });
    });

    test.each([
      ['once-bad.service', 'step-failed', 'restart: run systemctl: exit 1'],
      ['simple-ends.service', 'unhealthy', 'did not stay active'],
      ['exec-missing.service', 'step-failed', 'restart: run systemctl: exit 1'],
      ['never-tells.service', 'step-failed', 'restart: run systemctl: exit 1'],
      ['skipped.service', 'unhealthy', `${unmet} does not hold`],
      ['once-skipped.service', 'unhealthy', `${unmet} does not hold`],
      ['loops.service', 'unhealthy', 'check health of loops.service'],
    ])('%s fails: %s, %s', async (unit, code, message) => {
      const report = await end('restart', unit);
      expect(report).toMatchObject({ state: 'failed', code, message: expect.stringContaining(message) });
    });

    test('for a service that ends by itself without an error, the hint names Type=oneshot', async () => {
      expect(await end('start', 'simple-ends.service')).toMatchObject({
        hint: expect.stringContaining('Type=oneshot'),
      });
    });

    test('what must be killed is stopped all the same, and says how', async () => {
      await end('start', 'deaf.service');
      const report = await end('stop', 'deaf.service');
      expect(report).toMatchObject({
        state: 'succeeded',
        result: {
          unit: { activeState: 'failed', result: 'timeout', lastExit: { how: 'killed', status: 9 } },
        },
      });
    });

    test('a name with a backslash is found by the journal too', async () => {
      const logs = await host.send({ operation: 'service.logs', spec: { unit: INSTANCE, lines: 10 } });
      expect(JSON.stringify((await host.finished(logs.id)).report.result)).toContain('instance /srv/my-app');
    });

    test.each([
      ['a port that browsers refuse', 6000, '127.0.0.1', undefined],
      ['another', 10080, '127.0.0.1', '127.0.0.1'],
      ['::1 alone', 8099, '::1', '::1'],
    ])('a service on %s is asked', async (_name, port, bind, address) => {
      const unit = 'door.service';
      const program = `require("node:http").createServer((_, res) => res.end()).listen(${port}, "${bind}")`;
      await host.sh(
        `systemd-run --quiet --collect --unit=web-${port} /opt/lamplighter/bin/node --eval '${program}'`,
      );
      const http = { port, path: '/#x', status: 200, ...(address === undefined ? {} : { address }) };
      const { id } = await ask('restart', unit, { health: { http, withinMs: 120_000 } });
      expect((await host.finished(id)).report).toMatchObject({ state: 'succeeded' });
      await host.sh(`systemctl stop web-${port}`);
    });

    test('root is not sent to an address that the policy does not name', async () => {
      const http = { address: '169.254.169.254', port: 6000, path: '/#x', status: 200 };
      const { id } = await ask('restart', 'door.service', { health: { http, withinMs: 5000 } });
      expect((await host.finished(id)).report).toMatchObject({ state: 'rejected', code: 'not-in-policy' });
    });

    test('a policy with a template is refused, and hides no other unit of the heartbeat', async () => {
      const file = '/etc/lamplighter/policy.yaml';
      await host.sh(
        `cp ${file} /tmp/policy && sed -i 's/^units:$/units:\\n  worker@.service: [status]/' ${file}`,
      );
      const before = host.received.length;
      const heartbeat = await waitFor('a heartbeat without a policy', () =>
        host.received
          .slice(before)
          .map(({ report }) => (report.type === 'host.heartbeat' ? report : undefined))
          .find((report) => report?.policyHash === 'unreadable'),
      );
      const told = heartbeat.vitals.units.map(({ unit }) => unit);
      expect(told.toSorted()).toEqual(NAMES.toSorted());
      expect(heartbeat.vitals.units.every(({ loadState }) => loadState === 'loaded')).toBe(true);
      const { report } = await host.finished((await ask('status', 'once-well.service')).id);
      expect(report).toMatchObject({
        state: 'rejected',
        message: expect.stringContaining('worker@.service'),
      });
      await host.sh(`cp /tmp/policy ${file}`);
    });

    // Deploys need git, which the other systems come without.
    const hasGit = terms.systemDir === undefined;
    const git = hasGit ? 'with git' : 'with git (this system comes without)';
    describe.skipIf(!hasGit)(git, () => deployCases(() => host));

    // Late, since it takes longest.
    test('a start that systemd gives five minutes is waited for', async () => {
      const { report } = await host.finished(patient.id);
      expect(report).toMatchObject({ state: 'succeeded', result: { unit: { activeState: 'active' } } });
      expect(report.steps[0]?.detail).toContain('systemd gives it 5min to start');
    });

    describe.skipIf(!hasGit)(`${git}, at the end`, () => deployRebootCase(() => host));
  });
}
