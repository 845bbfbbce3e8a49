// Log lines that leave a real host through the installed agent. Lines that are read once are redacted by value, whole and
// bounded. Lines that are followed (`lamp logs SERVICE -f`) go from the agent to the person's process.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { LogLine } from '#shared/operations/logs.ts';
import { type AgentHost, POLICY } from '#test/fixtures/agent-host.ts';
import { isLong } from '#test/fixtures/long.ts';
import { type ScriptedApi, spawnLamp, startScriptedApi } from '#test/integration/cli/scripted-api.ts';
import { FOLLOW_COMMAND, type Harness, startRelay } from '#test/integration/live/live-harness.ts';

const SPILL = 'spill.service';
const TALK = 'talk.service';
const ENV_FILE = '/opt/app/.env';
const SECRET = 'plain/Word+77 "q"';
const TRACEBACK = `traceback ${'x'.repeat(4500)} end`;
const FORMS: Record<string, string> = {
  plain: SECRET,
  json: JSON.stringify({ note: SECRET }),
  url: `https://h/?q=${encodeURIComponent(SECRET)}`,
  base64: Buffer.from(`app:${SECRET}`).toString('base64'),
  hex: Buffer.from(SECRET).toString('hex'),
};
const PRINTED = [
  ...Object.entries(FORMS).map(([name, form]) => `${name} ${form} after`),
  TRACEBACK,
  'the end',
];

/** The units that the tests need on their host. */
export const LOG_UNITS = {
  [SPILL]: '[Service]\nExecStart=/bin/sh -c "cat /opt/app/printed; exit 3"\n',
  [TALK]: `[Service]
ExecStart=/bin/sh -c 'for i in $$(seq 1 100000); do echo "tick $$i password=hunter2"; sleep 0.1; done'
`,
};
/** What the host's policy must have for them. */
export const LOG_POLICY = {
  secretFiles: [ENV_FILE],
  operations: [...POLICY.operations, 'service.follow'],
  units: { [SPILL]: ['logs', 'restart'], [TALK]: ['logs'] },
};
const Lines = z.object({ lines: z.array(LogLine) });

/** The tests of logs, on a host of `host.test.ts`. */
export function describeLogs(host: () => AgentHost): void {
  beforeAll(async () => {
    write(ENV_FILE, `NODE_ENV=production\nPORT=5432\nAPP_SECRET='${SECRET}'\n`, 0o600);
    write('/opt/app/printed', `${PRINTED.join('\n')}\n`, 0o644);
    await host().sh(`systemctl daemon-reload; systemctl start ${SPILL} ${TALK}`);
  });

  function write(file: string, text: string, mode: number): void {
    const path = join(host().machine.rootPath, file);
    writeFileSync(path, text);
    chmodSync(path, mode);
  }

  describe('logs that are read once', () => {
    const readLogs = () => host().send({ operation: 'service.logs', spec: { unit: SPILL, lines: 100 } });

    function expectNoSecret(text: string): void {
      for (const form of [
        SECRET,
        encodeURIComponent(SECRET),
        FORMS.hex,
        Buffer.from(SECRET).toString('base64').slice(4, 16),
      ])
        expect(text).not.toContain(form);
    }

    test('a log is shown without the values of the policy’s secret files, in any form, and in full length', async () => {
      const { report, signedBy } = await host().finished((await readLogs()).id);
      expect({ state: report.state, signedBy }).toEqual({ state: 'succeeded', signedBy: 'agent' });
      const messages = Lines.parse(report.result).lines.map(({ message }) => message);
      for (const name of Object.keys(FORMS)) {
        const message = messages.find((text) => text.startsWith(`${name} `));
        expect(message).toContain('[REDACTED]');
        expect(message).toMatch(/ after$/);
      }
      expect(messages).toEqual(expect.arrayContaining([TRACEBACK, 'the end']));
      expectNoSecret(messages.join('\n'));
    });

    test('so is the output of a failed command, which the runner reads', async () => {
      const { id } = await host().send({
        operation: 'service.restart',
        spec: { unit: SPILL, health: { activeForMs: 500 } },
      });
      const { report, signedBy } = await host().finished(id);
      expect({ state: report.state, signedBy }).toEqual({ state: 'failed', signedBy: 'runner' });
      const output = report.output?.join('\n') ?? '';
      expect(output).toContain('[REDACTED]');
      expect(output).toMatch(/… \[cut: \d+ more characters\]/);
      expectNoSecret(output);
    });

    test('the agent’s account reads neither the file nor a journal', async () => {
      const as = 'setpriv --reuid=lamplighter --regid=lamplighter --init-groups --';
      expect(await host().sh(`${as} cat ${ENV_FILE} 2>&1; true`)).toContain('Permission denied');
      expect(await host().sh(`${as} journalctl -q --no-pager -u ${SPILL} 2>/dev/null; true`)).toBe('');
      expect(await host().sh('systemctl show lamplighter-agent.service -p SupplementaryGroups --value')).toBe(
        '',
      );
    });

    test('a secret file that is there and can not be read keeps every log on the host', async () => {
      const before = await host().sh(`cat ${ENV_FILE}`);
      write(ENV_FILE, 'x'.repeat(1024 * 1024 + 1), 0o600);
      const { report } = await host().finished((await readLogs()).id);
      expect(report).toMatchObject({
        state: 'failed',
        message: expect.stringContaining(`read secret file ${ENV_FILE}`),
      });
      expect(report.result).toBeUndefined();
      write(ENV_FILE, `${before}\n`, 0o600);
    });

    // With `--long` twice as many as can run and wait, so that some are refused.
    const burst = isLong ? 80 : 12;
    test(`${burst} logs at once are eight processes at a time, and each asker gets an answer`, async () => {
      const watched = host().sh(
        `for i in $(seq 1 3000); do test -e /run/over && break; ps -C journalctl -o pid= | wc -l; sleep 0.05; done |
        sort -n | tail -1`,
      );
      const sent = await Promise.all(Array.from({ length: burst }, readLogs));
      const reports = await Promise.all(sent.map(async ({ id }) => (await host().finished(id)).report));
      await host().sh('touch /run/over');
      expect(reports.filter(({ state, code }) => state !== 'succeeded' && code !== 'busy')).toEqual([]);
      expect(reports.some(({ code }) => code === 'busy')).toBe(isLong);
      expect(reports.filter(({ state }) => state === 'succeeded').length).toBeGreaterThanOrEqual(
        Math.min(burst, 40),
      );
      expect(Number(await watched)).toBeGreaterThan(0);
      expect(Number(await watched)).toBeLessThanOrEqual(8);
    });
  });

  describe('logs that are followed', () => {
    let relay: Harness;
    let api: ScriptedApi;

    beforeAll(async () => {
      relay = await startRelay({ graceMs: 1000 }, host().machine.gatewayAddress);
      api = await startScriptedApi();
      await host().sh(`echo 'relays: ["${relay.url}"]' >> /etc/lamplighter/policy.yaml`);
    });
    afterAll(async () => {
      await api?.close();
      await relay?.close();
    });

    /** The API's part: a ticket, and the signed command that the host takes. */
    function answerLive(lines: number): { command: () => string } {
      let sent = '';
      api.on('POST /v1/live', async () => {
        const { ticket, agentKey, relayUrl } = await relay.open();
        const spec = { unit: TALK, lines, ticket: agentKey, relayUrl };
        sent = (await host().send({ operation: 'service.follow', spec, timeoutMs: 3_600_000 })).id;
        return { status: 201, body: ticket };
      });
      api.on(`GET /v1/commands/${FOLLOW_COMMAND}`, () => 'hang');
      return { command: () => sent };
    }

    function lamp(watch: Parameters<typeof spawnLamp>[2], ...options: string[]) {
      return spawnLamp(['logs', 'talk', '-f', ...options], { LAMP_URL: api.url, LAMP_TOKEN: 'x' }, watch);
    }

    async function untilNoJournalctl(): Promise<void> {
      const count = () => host().sh('ps -C journalctl -o pid= | wc -l');
      await expect.poll(count).toBe('0');
    }

    function ticks(out: string): number[] {
      return [...out.matchAll(/tick (\d+)/g)].map((match) => Number(match[1]));
    }

    /** As many numbers without a gap, from the first one. */
    function withoutGap(numbers: readonly number[]): number[] {
      return Array.from({ length: numbers.length }, (_, i) => (numbers[0] ?? 0) + i);
    }

    test('prints lines as they come; Ctrl-C ends both ends and leaves no journalctl', async () => {
      const { command } = answerLive(2);
      const ran = await lamp((out, kill) => {
        if (ticks(out).length >= 10) kill('SIGINT');
      });
      expect(ran).toMatchObject({
        code: 130,
        err: expect.stringContaining('following talk; Ctrl-C ends it'),
      });
      expect(ticks(ran.out)).toEqual(withoutGap(ticks(ran.out)));
      expect(ran.out).toContain('password=[REDACTED]');
      expect(ran.out).not.toContain('hunter2');
      expect(await host().finished(command())).toMatchObject({
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
          void host().sh('journalctl --rotate && journalctl --vacuum-time=1s');
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
      expect(await host().finished(command())).toMatchObject({ report: { state: 'succeeded' } });
      await untilNoJournalctl();
    });

    test('a cable that is pulled for a moment costs no line', async () => {
      answerLive(10);
      let isCut = false;
      const ran = await lamp((out, kill) => {
        if (ticks(out).length >= 5 && !isCut) {
          isCut = true;
          void host()
            .machine.cutNetwork()
            .then(async () => {
              await sleep(1500);
              await host().machine.restoreNetwork();
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
}
