// The agent, the runner and the whole host killed in the middle of a restart, and Pub/Sub gone: each command comes to one
// truthful end, and nothing runs twice.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { detectCapabilities } from '#local/setup/capabilities.ts';
import { type AgentHost, startAgentHost, waitFor } from '#test/fixtures/agent-host.ts';

const { systemdHost } = detectCapabilities();
/** Takes three seconds to start, so that there is a middle to be killed in. */
const SLOW = { unit: 'slow.service', health: { activeForMs: 500 } };
/** Long enough for a health check to be cut short. */
const PATIENT = { unit: 'steady.service', health: { activeForMs: 4000 } };

describe.skipIf(systemdHost !== true)(
  `the agent killed in the middle (needs a systemd host: ${JSON.stringify(systemdHost)})`,
  () => {
    let host: AgentHost;

    beforeAll(async () => {
      host = await startAgentHost();
    });
    afterAll(async () => {
      await host?.close();
    });

    /** Starts of a unit, as systemd counts them. */
    async function starts(unit: string): Promise<number> {
      return Number(
        await host.sh(`journalctl -u ${unit} -o cat --no-pager | grep -c "^Starting\\|^Started" || true`),
      );
    }

    async function invocation(unit: string): Promise<string> {
      return await host.sh(`systemctl show -P InvocationID ${unit}`);
    }

    const kill = (unit: string) => host.sh(`systemctl kill --signal=KILL '${unit}'`);

    async function begun(id: string, step: string): Promise<void> {
      await waitFor(`${step} of ${id}`, () =>
        host.reportsOf(id).find((report) => report.type === 'command.progress' && report.step === step),
      );
    }

    test('the agent: the restart ends once, and the next agent reports it', async () => {
      const before = await starts('slow.service');
      const { id } = await host.send({ spec: SLOW });
      await begun(id, 'restart');
      await kill('lamplighter-agent.service');
      const { report, signedBy } = await host.finished(id);
      expect(report).toMatchObject({ state: 'succeeded' });
      expect(signedBy).toBe('runner');
      // One `Starting` and one `Started` line.
      expect(await starts('slow.service')).toBe(before + 2);
    });

    test('the agent, before it could acknowledge: delivered again, run once', async () => {
      const before = await starts('slow.service');
      const { id, message } = await host.send({ spec: SLOW });
      await waitFor('acceptance', () => host.reportsOf(id)[0]);
      await kill('lamplighter-agent.service');
      await host.publish(message);
      await host.publish(message);
      expect(await host.finished(id)).toMatchObject({ report: { state: 'succeeded' } });
      expect(await starts('slow.service')).toBe(before + 2);
    });

    test("the runner, while systemd starts the unit: systemd's job goes on, and so does the command", async () => {
      const before = await invocation('slow.service');
      const { id } = await host.send({ spec: SLOW });
      await begun(id, 'restart');
      await kill('lamplighter-run@*');
      const { report } = await host.finished(id);
      expect(report).toMatchObject({ state: 'succeeded' });
      expect(await invocation('slow.service')).not.toBe(before);
      const notes = host.reportsOf(id).flatMap((one) => ('detail' in one ? [one.detail] : []));
      expect(notes).toContain('looked whether it happened: done');
    });

    test('the runner, and the unit cannot start any more: the end says so', async () => {
      const { id } = await host.send({ spec: SLOW });
      await begun(id, 'restart');
      await kill('lamplighter-run@*');
      await host.sh('systemctl kill --signal=KILL slow.service');
      const { report } = await host.finished(id);
      expect(report).toMatchObject({ state: 'failed', code: 'interrupted' });
      expect(report.message).toContain('interrupted in restart');
    });

    test('the runner, during the health check: it is asked again', async () => {
      const { id } = await host.send({ spec: PATIENT });
      await begun(id, 'check-health');
      await kill('lamplighter-run@*');
      expect(await host.finished(id)).toMatchObject({ report: { state: 'succeeded' }, signedBy: 'runner' });
    });

    test('the runner and its recovery: the service stays locked until somebody looks, then all is well', async () => {
      const { id } = await host.send({ spec: SLOW });
      await begun(id, 'restart');
      await kill('lamplighter-run@*');
      await sleep(400);
      await kill('lamplighter-run@*');
      const second = await host.send({ spec: SLOW });
      expect(await host.finished(second.id)).toMatchObject({ report: { state: 'rejected', code: 'busy' } });
      await host.sh('systemctl start lamplighter-recover.service');
      expect(await host.finished(id)).toMatchObject({ report: { state: 'succeeded' } });
      const third = await host.send({ spec: SLOW });
      expect(await host.finished(third.id)).toMatchObject({ report: { state: 'succeeded' } });
    });

    test('Pub/Sub away: the result waits and arrives', async () => {
      const { id } = await host.send({ spec: SLOW });
      await begun(id, 'restart');
      const bringBack = await host.cutPubsub();
      await sleep(5000);
      await kill('lamplighter-agent.service');
      await sleep(1000);
      await bringBack();
      expect(await host.finished(id)).toMatchObject({ report: { state: 'succeeded' }, signedBy: 'runner' });
    });

    test('the plug pulled: after the boot the command has its end', async () => {
      const { id } = await host.send({ spec: SLOW });
      await begun(id, 'restart');
      await host.machine.reboot();
      expect(await host.sh('systemctl is-active lamplighter-run.socket lamplighter-recover.timer')).toBe(
        'active\nactive',
      );
      const { report, signedBy } = await host.finished(id);
      // The start that was asked for went down with the host; systemctl may have seen that before it was gone itself.
      expect(report.state).toBe('failed');
      expect(['interrupted', 'step-failed']).toContain(report.code);
      expect(signedBy).toBe('runner');
      const after = await host.send({ spec: SLOW });
      expect(await host.finished(after.id)).toMatchObject({ report: { state: 'succeeded' } });
    });
  },
);
