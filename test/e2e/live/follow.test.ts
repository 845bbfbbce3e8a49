// `lamp logs SERVICE -f` from the person's process to the agent that the installer put on a real host, and back.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { type AgentHost, POLICY, startAgentHost } from '#test/fixtures/agent-host.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';
import { type ScriptedApi, spawnLamp, startScriptedApi } from '#test/integration/cli/scripted-api.ts';
import { FOLLOW_COMMAND, type Harness, startRelay } from '#test/integration/live/live-harness.ts';

const { systemdHost } = detectCapabilities();
const UNIT = 'talk.service';
const TALK = `[Service]
ExecStart=/bin/sh -c 'for i in $$(seq 1 100000); do echo "tick $$i password=hunter2"; sleep 0.1; done'
`;
const POLICY_HERE = {
  operations: [...POLICY.operations, 'service.follow'],
  units: { ...POLICY.units, [UNIT]: ['logs'] },
};

describe.skipIf(systemdHost !== true)(`live logs of a real host${whySkipped(systemdHost)}`, () => {
  let host: AgentHost;
  let relay: Harness;
  let api: ScriptedApi;

  beforeAll(async () => {
    host = await startAgentHost({ policy: POLICY_HERE, units: { [UNIT]: TALK } });
    relay = await startRelay({ graceMs: 1000 }, host.machine.gatewayAddress);
    api = await startScriptedApi();
    await host.sh(`echo 'relays: ["${relay.url}"]' >> /etc/lamplighter/policy.yaml`);
    await host.sh(`systemctl daemon-reload && systemctl start ${UNIT}`);
  });
  afterAll(async () => {
    await api?.close();
    await relay?.close();
    await host?.close();
  });

  /** The API's part: a ticket, and the signed command that the host takes. */
  function answerLive(lines: number): { command: () => string } {
    let sent = '';
    api.on('POST /v1/live', async () => {
      const { ticket, agentKey, relayUrl } = await relay.open();
      const spec = { unit: UNIT, lines, ticket: agentKey, relayUrl };
      sent = (await host.send({ operation: 'service.follow', spec, timeoutMs: 3_600_000 })).id;
      return { status: 201, body: ticket };
    });
    api.on(`GET /v1/commands/${FOLLOW_COMMAND}`, () => 'hang');
    return { command: () => sent };
  }

  function lamp(watch: Parameters<typeof spawnLamp>[2], ...options: string[]) {
    return spawnLamp(['logs', 'talk', '-f', ...options], { LAMP_URL: api.url, LAMP_TOKEN: 'x' }, watch);
  }

  async function untilNoJournalctl(): Promise<void> {
    const count = () => host.sh('ps -C journalctl -o pid= | wc -l');
    await expect.poll(count).toBe('0');
  }

  function ticks(out: string): number[] {
    return [...out.matchAll(/tick (\d+)/g)].map((match) => Number(match[1]));
  }

  /** As many, each one more than the one before. */
  function withoutGap(numbers: readonly number[]): number[] {
    return Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i);
  }

  test('prints lines as they come; Ctrl-C ends both ends and leaves no journalctl', async () => {
    const { command } = answerLive(2);
    const ran = await lamp((out, kill) => {
      if (ticks(out).length >= 10) kill('SIGINT');
    });
    expect(ran).toMatchObject({ code: 130, err: expect.stringContaining('following talk; Ctrl-C ends it') });
    expect(ticks(ran.out)).toEqual(withoutGap(ticks(ran.out)));
    expect(ran.out).toContain('password=[REDACTED]');
    expect(ran.out).not.toContain('hunter2');
    expect(await host.finished(command())).toMatchObject({
      report: { state: 'succeeded', result: { linesSent: expect.any(Number) } },
      signedBy: 'agent',
    });
    await untilNoJournalctl();
    await expect.poll(() => relay.relay.sessionCount()).toBe(0);
  });

  test('goes on when the journal is rotated and old files are cleared away', async () => {
    answerLive(0);
    let isRotated = false;
    const ran = await lamp((out, kill) => {
      if (ticks(out).length >= 5 && !isRotated) {
        isRotated = true;
        void host.sh('journalctl --rotate && journalctl --vacuum-time=1s');
      }
      if (ticks(out).length >= 40) kill('SIGINT');
    });
    expect(ticks(ran.out)).toEqual(withoutGap(ticks(ran.out)));
  });

  test('a viewer that is killed ends the host too', async () => {
    const { command } = answerLive(10);
    const ran = await lamp((out, kill) => {
      if (out.includes('tick')) kill('SIGKILL');
    });
    expect(ran.signal).toBe('SIGKILL');
    expect(await host.finished(command())).toMatchObject({ report: { state: 'succeeded' } });
    await untilNoJournalctl();
  });

  test('a cable that is pulled for a moment costs no line', async () => {
    answerLive(10);
    let isCut = false;
    const ran = await lamp((out, kill) => {
      if (ticks(out).length >= 5 && !isCut) {
        isCut = true;
        void host.machine.cutNetwork().then(async () => {
          await sleep(1500);
          await host.machine.restoreNetwork();
        });
      }
      if (ticks(out).length >= 60) kill('SIGINT');
    }, '--json');
    const numbers = ran.out
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line) => ticks(JSON.parse(line).message));
    expect(numbers.length).toBeGreaterThanOrEqual(60);
    expect(numbers).toEqual(withoutGap(numbers));
    await untilNoJournalctl();
  });
});
