// `lamp logs SERVICE -f` from the person's process to journalctl on a real host and back.
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostMachine } from '#local/host/host-machine.ts';
import { bootHost } from '#local/host/machine.ts';
import { detectCapabilities } from '#local/setup/capabilities.ts';
import { type ScriptedApi, spawnLamp, startScriptedApi } from '#test/integration/cli/scripted-api.ts';
import { FOLLOW_COMMAND, type Harness, startRelay } from '#test/integration/live/live-harness.ts';

const { systemdHost } = detectCapabilities();
const AGENT_OPERATION = join(import.meta.dirname, '../../../agent/operations/follow.ts');
const UNIT = 'talk.service';
const TALK = 'for i in $(seq 1 100000); do echo "tick $i password=hunter2"; sleep 0.1; done';

/** Onto the host's own disk: it need not see the sources' directory. */
async function bringAgentPart({ rootPath }: HostMachine): Promise<void> {
  const dir = join(rootPath, 'opt/app');
  copyFileSync(process.execPath, join(dir, 'node'));
  await build({
    entryPoints: [AGENT_OPERATION],
    outfile: join(dir, 'follow.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
}

describe.skipIf(systemdHost !== true)(`live logs of a real host (${systemdHost})`, () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'lamplighter-follow-'));
  let machine: HostMachine;
  let relay: Harness;
  let api: ScriptedApi;

  beforeAll(async () => {
    machine = await bootHost({ stateDir, name: 'web-2', timezone: 'UTC', log: () => undefined });
    relay = await startRelay({ graceMs: 1000 }, machine.gatewayAddress);
    api = await startScriptedApi();
    await bringAgentPart(machine);
    const started = await machine.run(['/usr/bin/systemd-run', `--unit=${UNIT}`, '/bin/sh', '-c', TALK]);
    expect(started.code).toBe(0);
  });
  afterAll(async () => {
    await api?.close();
    await relay?.close();
    await machine?.powerOff();
    rmSync(stateDir, { recursive: true, force: true });
  });

  /** The agent's part of `service.follow`, on the host. */
  function startFollow(ticket: string, relayUrl: string) {
    const spec = JSON.stringify({ unit: UNIT, lines: 2, ticket, relayUrl });
    const program = `
      const { reads } = await import('/opt/app/follow.mjs');
      const signal = new AbortController().signal;
      console.log(JSON.stringify(await reads['service.follow'](${spec}, { signal })));`;
    const child = machine.spawn([
      // Whoever enters the host stands nowhere in it.
      '/usr/bin/env',
      '--chdir=/',
      '/opt/app/node',
      '--input-type=module',
      '--eval',
      program,
    ]);
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        out += text;
      });
    }
    return once(child, 'close').then(([code]) => ({ code: Number(code), out }));
  }

  /** The API's part: a ticket, and the command that the host takes. */
  function answerLive(): { follow: () => Promise<{ code: number; out: string }> | undefined } {
    let running: ReturnType<typeof startFollow> | undefined;
    api.on('POST /v1/live', async () => {
      const { ticket, agentKey, relayUrl } = await relay.open();
      running = startFollow(agentKey, relayUrl);
      return { status: 201, body: ticket };
    });
    api.on(`GET /v1/commands/${FOLLOW_COMMAND}`, () => 'hang');
    return { follow: () => running };
  }

  async function journalctlCount(): Promise<number> {
    const { stdout } = await machine.run(['/bin/sh', '-c', 'ps -C journalctl -o pid= | wc -l']);
    return Number(stdout.trim());
  }

  async function untilNoJournalctl(): Promise<void> {
    for (let i = 0; i < 100 && (await journalctlCount()) > 0; i++) await sleep(50);
    expect(await journalctlCount()).toBe(0);
  }

  test('prints lines as they come; Ctrl-C ends both ends and leaves no journalctl', async () => {
    const { follow } = answerLive();
    let seen = 0;
    const env = { LAMP_URL: api.url, LAMP_TOKEN: 'x' };
    const ran = await spawnLamp(['logs', 'talk', '-f', '-n', '2'], env, (out, kill) => {
      seen = out.match(/tick \d+/g)?.length ?? 0;
      if (seen >= 10) kill('SIGINT');
    });
    expect(ran).toMatchObject({ code: 130, err: expect.stringContaining('following talk; Ctrl-C ends it') });
    const numbers = [...ran.out.matchAll(/tick (\d+)/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i));
    expect(ran.out).toContain('password=[REDACTED]');
    expect(ran.out).not.toContain('hunter2');
    const agent = await follow();
    expect(agent?.code).toBe(0);
    expect(JSON.parse(agent?.out ?? '')).toEqual({ linesSent: expect.any(Number) });
    await untilNoJournalctl();
    expect(relay.relay.sessionCount()).toBe(0);
  });

  test('a viewer that is killed ends the host too', async () => {
    const { follow } = answerLive();
    const env = { LAMP_URL: api.url, LAMP_TOKEN: 'x' };
    const ran = await spawnLamp(['logs', 'talk', '-f'], env, (out, kill) => {
      if (out.includes('tick')) kill('SIGKILL');
    });
    expect(ran.signal).toBe('SIGKILL');
    expect((await follow())?.code).toBe(0);
    await untilNoJournalctl();
  });

  test('a cable that is pulled for a moment costs no line', async () => {
    answerLive();
    const env = { LAMP_URL: api.url, LAMP_TOKEN: 'x' };
    let isCut = false;
    const ran = await spawnLamp(['logs', 'talk', '-f', '--json'], env, (out, kill) => {
      const seen = out.match(/tick \d+/g)?.length ?? 0;
      if (seen >= 5 && !isCut) {
        isCut = true;
        void machine.cutNetwork().then(async () => {
          await sleep(1500);
          await machine.restoreNetwork();
        });
      }
      if (seen >= 60) kill('SIGINT');
    });
    const messages = ran.out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).message);
    const numbers = messages.flatMap((message) => Number(/tick (\d+)/.exec(message)?.[1] ?? Number.NaN));
    expect(numbers.length).toBeGreaterThanOrEqual(60);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i));
    await untilNoJournalctl();
  });
});
