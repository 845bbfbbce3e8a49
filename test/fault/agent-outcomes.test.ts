// What a host answers to each kind of command and to each kind of bad envelope, on a real systemd host; and what becomes of
// commands when something is killed (agent-kills.ts).
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { RefusedReport, UnitStatus } from '#shared/command/report.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { KEY_ID_ATTRIBUTE, SIGNATURE_ATTRIBUTE } from '#shared/signing/message.ts';
import { type AgentHost, makeEnvelope, startAgentHost, waitFor } from '#test/fixtures/agent-host.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { systemsUnderTest } from '#test/fixtures/systems.ts';
import { describeKills } from './agent-kills.ts';

const BRIEF = { activeForMs: 500 };
const BACKUP = { operation: 'backup.run', spec: { database: 'analytics', localRetentionDays: 30 } };

for (const { name, canBoot, terms } of await systemsUnderTest()) {
  describe.skipIf(!canBoot)(`the agent's outcomes, on ${name}`, () => {
    let host: AgentHost;

    beforeAll(async () => {
      host = await startAgentHost(terms);
    });
    afterAll(async () => {
      await host?.close();
    });

    const of = (unit: string) => ({ spec: { unit, health: BRIEF } });

    async function refused(
      reason: string,
      act: () => Promise<unknown>,
    ): Promise<z.infer<typeof RefusedReport>> {
      const before = host.received.length;
      await act();
      return await waitFor(`refusal ${reason}`, () =>
        host.received
          .slice(before)
          .map(({ report }) => report)
          .find((report) => report.type === 'envelope.refused' && report.reason === reason),
      ).then((report) => (report.type === 'envelope.refused' ? report : expect.unreachable()));
    }

    test('a restart is carried out, reported step by step, and signed by the runner', async () => {
      const { id } = await host.send(of('steady.service'));
      const { report, signedBy } = await host.finished(id);
      expect(signedBy).toBe('runner');
      expect(report).toMatchObject({
        state: 'succeeded',
        result: { healthy: true, unit: { unit: 'steady.service', activeState: 'active' } },
      });
      expect(report.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
        'check-unit done',
        'restart done',
        'check-health done',
      ]);
      const said = host.reportsOf(id).map((one) => ('seq' in one ? one.seq : one.type));
      expect(said).toEqual(['command.accepted', 1, 2, 3, 4, 5, 6, 'command.finished']);
    });

    test.each([
      ['a unit nobody named', 'rejected', 'unknown-unit', 'agent', of('nowhere.service')],
      ['a verb the policy withholds', 'rejected', 'not-in-policy', 'agent', of('forbidden.service')],
      ['a unit systemd does not know', 'failed', 'unknown-unit', 'runner', of('missing.service')],
      [
        'an operation nobody knows',
        'rejected',
        'unknown-operation',
        'agent',
        { operation: 'service.explode' },
      ],
      ['an operation the policy does not list', 'rejected', 'not-in-policy', 'agent', BACKUP],
      ['a unit that is an option', 'rejected', 'invalid-params', 'agent', of('--force')],
    ])('%s: %s, %s, says the %s', async (_name, state, code, signedBy, change) => {
      const { id } = await host.send(change);
      expect(await host.finished(id)).toMatchObject({ report: { state, code }, signedBy });
    });

    test('a start that takes too long times out, and the runner says so', async () => {
      await host.holdSlow();
      const { id } = await host.send({ ...of('slow.service'), timeoutMs: 500 });
      const end = await host.finished(id);
      await host.letSlowStart();
      expect(end).toMatchObject({ report: { state: 'timed-out', code: 'timed-out' }, signedBy: 'runner' });
    });

    test('a service that does not stay up fails with its journal, without its password', async () => {
      const { id } = await host.send(of('broken.service'));
      const { report } = await host.finished(id);
      expect(report).toMatchObject({ state: 'failed', code: 'unhealthy' });
      const output = report.output?.join('\n') ?? '';
      expect(output).toContain('connecting to postgres://app:[REDACTED]@db/x');
      expect(JSON.stringify(report)).not.toContain('hunter2');
    });

    test('a second command on a busy service is turned away and does nothing', async () => {
      await host.holdSlow();
      const first = await host.send(of('slow.service'));
      await host.slowIsStarting();
      const second = await host.send(of('slow.service'));
      const { report, signedBy } = await host.finished(second.id);
      expect(report).toMatchObject({ state: 'rejected', code: 'busy', steps: [] });
      expect(report.message).toContain(first.id);
      expect(signedBy).toBe('runner');
      await host.letSlowStart();
      expect(await host.finished(first.id)).toMatchObject({ report: { state: 'succeeded' } });
    });

    describe('a cancel', () => {
      const cancel = (command: string) => host.send({ operation: 'command.cancel', spec: { command } });
      const resultOf = async (id: string) => (await host.finished(id)).report.result;

      test('stops a restart that hangs, with all that it started, and frees its unit', async () => {
        await host.holdSlow();
        const hanging = await host.send(of('slow.service'));
        await host.slowIsStarting();
        const cancelled = await cancel(hanging.id);
        const { report, signedBy } = await host.finished(hanging.id);
        expect(report).toMatchObject({ state: 'cancelled', code: 'cancelled' });
        expect(report.message).toBe('cancelled by token test in restart, which had happened already');
        expect(signedBy).toBe('runner');
        expect(await resultOf(cancelled.id)).toEqual({ command: hanging.id, state: 'cancelled' });
        await host.until('test -z "$(pgrep -x systemctl)"');
        await host.letSlowStart();
        const again = await host.send(of('slow.service'));
        expect(await host.finished(again.id)).toMatchObject({ report: { state: 'succeeded' } });
      });

      test('that comes before its command keeps it from beginning', async () => {
        const before = await host.starts('steady.service');
        const id = uuidv7();
        const early = await cancel(id);
        expect(await resultOf(early.id)).toEqual({ command: id, state: 'cancelled' });
        await host.send({ ...of('steady.service'), id });
        expect((await host.finished(id)).report).toMatchObject({ state: 'cancelled', steps: [] });
        expect(await host.starts('steady.service')).toBe(before);
      });

      test('of a command that has ended says how it ended, and changes nothing', async () => {
        const { id } = await host.send(of('steady.service'));
        await host.finished(id);
        const before = await host.starts('steady.service');
        const late = await cancel(id);
        expect(await resultOf(late.id)).toEqual({ command: id, state: 'succeeded' });
        expect(await host.starts('steady.service')).toBe(before);
      });

      test('of a cancel is refused', async () => {
        const { id } = await cancel(uuidv7());
        await host.finished(id);
        const other = await cancel(id);
        expect((await host.finished(other.id)).report).toMatchObject({
          state: 'failed',
          message: expect.stringContaining('it is a cancel itself'),
        });
      });
    });

    test('a dry run says what would be done and does nothing', async () => {
      const before = await host.starts('steady.service');
      const { id } = await host.send({ ...of('steady.service'), dryRun: true });
      const { report } = await host.finished(id);
      expect(report).toMatchObject({
        state: 'succeeded',
        result: {
          plan: expect.arrayContaining([
            {
              step: 'restart',
              does: '/usr/bin/systemctl --no-pager --no-ask-password restart -- steady.service',
            },
          ]),
        },
      });
      expect(await host.starts('steady.service')).toBe(before);
    });

    test('stop and start do what they say; logs and vitals are read by the agent', async () => {
      const stop = await host.send({ operation: 'service.stop', ...of('steady.service') });
      expect(await host.finished(stop.id)).toMatchObject({
        report: { state: 'succeeded', result: { unit: { activeState: 'inactive' } } },
      });
      const start = await host.send({ operation: 'service.start', ...of('steady.service') });
      expect(await host.finished(start.id)).toMatchObject({ report: { state: 'succeeded' } });
      await host.sh('journalctl --sync');
      const logs = await host.send({ operation: 'service.logs', spec: { unit: 'steady.service', lines: 3 } });
      const read = await host.finished(logs.id);
      expect(read).toMatchObject({ report: { state: 'succeeded' }, signedBy: 'agent' });
      expect(JSON.stringify(read.report.result)).toContain('Started steady.service');
      const vitals = await host.send({ operation: 'host.vitals', spec: {} });
      const { report } = await host.finished(vitals.id);
      expect(
        z.object({ units: z.array(z.object({ unit: z.string() })) }).parse(report.result).units,
      ).toHaveLength(5);
    });

    test('an alert is appended once, however many commands carry it', async () => {
      const alert = {
        id: '5b0c1f6e-6f0f-4a57-9d4c-3b3f5a3f5a3f',
        at: new Date().toISOString(),
        event: 'firing',
        level: 'WARNING',
        severity: 'P3',
        kind: 'check',
        host: 'web-1',
        summary: 'web does not answer',
      };
      const spec = { path: '/var/log/alerts.jsonl', alert };
      for (const appended of [true, false]) {
        const { id } = await host.send({ operation: 'alert.append', spec });
        expect(await host.finished(id)).toMatchObject({
          report: { state: 'succeeded', result: { appended } },
        });
      }
      expect(JSON.parse(await host.sh('cat /var/log/alerts.jsonl'))).toEqual(alert);
    });

    describe('bad envelopes change nothing', () => {
      test('forged, altered and unsigned', async () => {
        const before = await host.starts('steady.service');
        const good = await host.sign(makeEnvelope(of('steady.service')));
        const stranger = keySigner(makeKey().privatePem);
        const signature = Buffer.from(await stranger.sign('command', good.data)).toString('base64');
        const forge = (keyId: string) => ({
          data: good.data,
          attributes: { ...good.attributes, [SIGNATURE_ATTRIBUTE]: signature, [KEY_ID_ATTRIBUTE]: keyId },
        });
        await refused('bad-signature', () => host.publish(forge(stranger.keyId)));
        // Claiming the pinned key's id does not help.
        await refused('bad-signature', () => host.publish(forge(good.attributes[KEY_ID_ATTRIBUTE] ?? '')));
        const text = good.data.toString('utf8').replace('service.restart', 'service.stop');
        await refused('bad-signature', () => host.publish({ ...good, data: Buffer.from(text) }));
        const { [SIGNATURE_ATTRIBUTE]: _gone, ...unsigned } = good.attributes;
        const report = await refused('unsigned', () => host.publish({ ...good, attributes: unsigned }));
        expect(report).not.toHaveProperty('commandId');
        expect(await host.starts('steady.service')).toBe(before);
      });

      test('expired: refused, and the command has its end', async () => {
        const at = (ms: number) => new Date(Date.now() + ms).toISOString();
        let id = '';
        const report = await refused('expired', async () => {
          ({ id } = await host.send({ ...of('steady.service'), issuedAt: at(-60_000), expiresAt: at(-1) }));
        });
        expect(report.commandId).toBe(id);
        expect(await host.finished(id)).toMatchObject({ report: { state: 'expired', code: 'expired' } });
      });

      test('for another host', async () => {
        await refused('wrong-host', () => host.send({ ...of('steady.service'), host: 'web-2' }));
      });

      test('replayed: the stored result is sent again and nothing runs', async () => {
        const { id, message } = await host.send(of('steady.service'));
        const first = await host.finished(id);
        const before = await host.starts('steady.service');
        const seen = host.received.length;
        await host.publish(message);
        const again = await waitFor('the result again', () =>
          host.received
            .slice(seen)
            .find(({ report }) => report.type === 'command.finished' && report.commandId === id),
        );
        expect(again).toEqual(first);
        expect(await host.starts('steady.service')).toBe(before);
      });

      test('an id that was used before with other bytes', async () => {
        const { id } = await host.send(of('steady.service'));
        await host.finished(id);
        const before = await host.starts('steady.service');
        await refused('id-reused', () =>
          host.send({ id, operation: 'service.stop', ...of('steady.service') }),
        );
        expect(await host.starts('steady.service')).toBe(before);
        expect(await host.sh('systemctl is-active steady.service')).toBe('active');
      });
    });

    test('a policy that does not hold allows nothing, and the heartbeat says so', async () => {
      const policy = '/etc/lamplighter/policy.yaml';
      await host.sh(`cp ${policy} /tmp/policy.yaml && echo 'unit: [' >> ${policy}`);
      const seen = host.received.length;
      const { id } = await host.send({ operation: 'service.status', ...of('steady.service') });
      const { report } = await host.finished(id);
      expect(report).toMatchObject({ state: 'rejected', code: 'not-in-policy' });
      expect(report.message).toContain(`read policy ${policy}`);
      await host.sh('systemctl restart lamplighter-agent.service');
      const heartbeat = await waitFor('a heartbeat', () =>
        host.received
          .slice(seen)
          .map((one) => one.report)
          .find((one) => one.type === 'host.heartbeat' && one.policyHash === 'unreadable'),
      );
      expect(heartbeat).toMatchObject({ vitals: { units: [] } });
      await host.sh(`cp /tmp/policy.yaml ${policy}`);
      const after = await host.send({ operation: 'service.status', ...of('steady.service') });
      expect(await host.finished(after.id)).toMatchObject({ report: { state: 'succeeded' } });
    });

    test('a unit that is killed is told at once, and not with the next regular heartbeat', async () => {
      const config = '/etc/lamplighter/agent.yaml';
      const heartbeatThat = (what: string, says: (unit: UnitStatus) => boolean) =>
        waitFor(`a heartbeat that tells ${what}`, () =>
          host.received
            .flatMap(({ report }) => (report.type === 'host.heartbeat' ? report.vitals.units : []))
            .find((unit) => unit.unit === 'steady.service' && says(unit)),
        );
      const mainPid = await host.sh(
        `systemctl stop lamplighter-agent.service; cp ${config} /tmp/agent.yaml; echo 'heartbeatEveryMs: 3600000' >> ${config}
        systemctl restart steady.service; systemctl start lamplighter-agent.service; systemctl show --property=MainPID --value steady.service`,
      );
      await heartbeatThat('the new process', (unit) => unit.mainPid === Number(mainPid));
      await host.sh('systemctl kill --signal=KILL steady.service');
      const killed = await heartbeatThat('the kill', ({ result }) => result === 'signal');
      expect(killed.lastExit).toMatchObject({ how: 'killed', status: 9 });
      await host.sh(
        `cp /tmp/agent.yaml ${config}; systemctl restart steady.service lamplighter-agent.service`,
      );
    });

    describeKills(() => host);

    test('installed again, the host keeps its keys, and its files are not for everybody', async () => {
      expect(await host.install()).toEqual(host.enrolment);
      const modes = await host.sh(
        'cd /etc/lamplighter; stat -c "%n %a %U" agent.key runner.key policy.yaml /var/lib/lamplighter/runs /var/lib/lamplighter/agent /run/lamplighter/run.sock',
      );
      expect(modes.split('\n')).toEqual([
        'agent.key 600 root',
        'runner.key 600 root',
        'policy.yaml 644 root',
        '/var/lib/lamplighter/runs 2750 root',
        '/var/lib/lamplighter/agent 700 lamplighter',
        '/run/lamplighter/run.sock 660 root',
      ]);
    });

    test('the units stay as closed as they are', async () => {
      const score = async (unit: string): Promise<number> => {
        const line = await host.sh(`systemd-analyze security --no-pager ${unit} | tail -1`);
        return Number(/: ([0-9.]+) /.exec(line)?.[1] ?? Number.NaN);
      };
      expect(await score('lamplighter-agent.service')).toBeLessThanOrEqual(1.5);
      expect(await score('lamplighter-run@x.service')).toBeLessThanOrEqual(3.1);
      expect(await score('lamplighter-read@x.service')).toBeLessThanOrEqual(1);
    });

    test('uninstalled, nothing runs and nothing is left but the policy and the record', async () => {
      const installer = '/opt/lamplighter-package/bin/node /opt/lamplighter-package/lib/install.mjs';
      await host.sh(`${installer} --uninstall`);
      const left = await host.sh(
        'find /etc/lamplighter /opt/lamplighter /run/lamplighter ! -type d 2>/dev/null',
      );
      expect(left).toBe('/etc/lamplighter/policy.yaml');
      expect(await host.sh('ls /var/lib/lamplighter/runs | wc -l')).not.toBe('0');
      expect(await host.sh('systemctl list-units --all --no-legend "lamplighter*"')).toBe('');
    });
  });
}
