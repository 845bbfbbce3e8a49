// The agent, the runner and the whole host killed in the middle of a restart, and Pub/Sub gone: each command comes to one
// truthful end, and nothing runs twice. The tests run on the host of agent-outcomes.test.ts.
import { describe, expect, test } from 'vitest';
import type { WireMessage } from '#shared/signing/message.ts';
import type { AgentHost } from '#test/fixtures/agent-host.ts';

/** Its start lasts until the test lets it go on, so that a kill can hit the middle of a restart. */
const SLOW = { unit: 'slow.service', health: { activeForMs: 500 } };
/** The first entry that a recovery writes into the step record. */
const TAKEN_UP = 'interrupted here; taken up again';
/** The health check lasts long enough to be interrupted. */
const PATIENT = { unit: 'steady.service', health: { activeForMs: 4000 } };

/** The tests of a host that has the agent. */
export function describeKills(host: () => AgentHost): void {
  describe('killed in the middle', () => {
    async function invocation(unit: string): Promise<string> {
      return await host().sh(`systemctl show -P InvocationID ${unit}`);
    }

    const kill = (unit: string) => host().sh(`systemctl kill --signal=KILL '${unit}'`);

    /** Sends a restart of the slow unit, and resolves when systemd is in the middle of it. */
    async function beginRestart(): Promise<{ id: string; message: WireMessage }> {
      await host().holdSlow();
      const sent = await host().send({ spec: SLOW });
      await host().slowIsStarting();
      return sent;
    }

    /** Waits until the run's record has this text: a report would come too late for a kill at that moment. */
    async function recorded(id: string, text: string): Promise<void> {
      await host().until(`grep -q '${text}' /var/lib/lamplighter/runs/${id}/steps.ndjson`);
    }

    test('the agent: the restart ends once, and the next agent reports it', async () => {
      const before = await host().starts('slow.service');
      const { id } = await beginRestart();
      await kill('lamplighter-agent.service');
      await host().letSlowStart();
      const { report, signedBy } = await host().finished(id);
      expect(report).toMatchObject({ state: 'succeeded' });
      expect(signedBy).toBe('runner');
      expect(await host().starts('slow.service')).toBe(before + 1);
    });

    test('the agent, before it could acknowledge: delivered again, run once', async () => {
      const before = await host().starts('slow.service');
      const { id, message } = await beginRestart();
      await kill('lamplighter-agent.service');
      await host().publish(message);
      await host().publish(message);
      await host().letSlowStart();
      expect(await host().finished(id)).toMatchObject({ report: { state: 'succeeded' } });
      expect(await host().starts('slow.service')).toBe(before + 1);
    });

    test("the runner, while systemd starts the unit: systemd's job goes on, and so does the command", async () => {
      const before = await invocation('slow.service');
      const { id } = await beginRestart();
      await kill('lamplighter-run@*');
      await recorded(id, TAKEN_UP);
      await host().letSlowStart();
      const { report } = await host().finished(id);
      expect(report).toMatchObject({ state: 'succeeded' });
      expect(await invocation('slow.service')).not.toBe(before);
      const notes = host()
        .reportsOf(id)
        .flatMap((one) => ('detail' in one ? [one.detail] : []));
      expect(notes).toContain('looked whether it happened: done');
    });

    test('the runner, and the unit cannot start any more: the end says so', async () => {
      const { id } = await beginRestart();
      await kill('lamplighter-run@*');
      await kill('slow.service');
      await host().letSlowStart();
      const { report } = await host().finished(id);
      expect(report).toMatchObject({ state: 'failed', code: 'interrupted' });
      expect(report.message).toContain('interrupted in restart');
    });

    test('the runner, during the health check: it is asked again', async () => {
      const { id } = await host().send({ spec: PATIENT });
      await recorded(id, '"step":"check-health","phase":"begin"');
      await kill('lamplighter-run@*');
      expect(await host().finished(id)).toMatchObject({ report: { state: 'succeeded' }, signedBy: 'runner' });
      await recorded(id, TAKEN_UP);
    });

    test('the runner and its recovery: the service stays locked until another recovery has looked', async () => {
      const { id } = await beginRestart();
      await kill('lamplighter-run@*');
      await recorded(id, TAKEN_UP);
      await kill('lamplighter-run@*');
      const second = await host().send({ spec: SLOW });
      expect(await host().finished(second.id)).toMatchObject({ report: { state: 'rejected', code: 'busy' } });
      await host().letSlowStart();
      expect(await host().finished(id)).toMatchObject({ report: { state: 'succeeded' } });
      const third = await host().send({ spec: SLOW });
      expect(await host().finished(third.id)).toMatchObject({ report: { state: 'succeeded' } });
    });

    test('Pub/Sub away: the result waits and arrives', async () => {
      const { id } = await beginRestart();
      const bringBack = await host().cutPubsub();
      await host().letSlowStart();
      await host().until(`test -e /var/lib/lamplighter/runs/${id}/report.json`);
      const agent = await invocation('lamplighter-agent.service');
      await kill('lamplighter-agent.service');
      await host().until(`test "$(systemctl show -P InvocationID lamplighter-agent.service)" != ${agent}`);
      await bringBack();
      expect(await host().finished(id)).toMatchObject({ report: { state: 'succeeded' }, signedBy: 'runner' });
    });

    test('the plug pulled: after the boot the command has its end', async () => {
      const { id } = await beginRestart();
      await host().machine.reboot();
      expect(await host().sh('systemctl is-active lamplighter-run.socket lamplighter-recover.timer')).toBe(
        'active\nactive',
      );
      const { report, signedBy } = await host().finished(id);
      // The start ended with the host. systemctl may have reported that before it ended too.
      expect(report.state).toBe('failed');
      expect(['interrupted', 'step-failed']).toContain(report.code);
      expect(signedBy).toBe('runner');
      const after = await host().send({ spec: SLOW });
      expect(await host().finished(after.id)).toMatchObject({ report: { state: 'succeeded' } });
    });
  });
}
