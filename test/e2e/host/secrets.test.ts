// What a service prints, on its way off a real host through what the installer installed: redacted by value, whole, bounded.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { LogLine } from '#shared/operations/logs.ts';
import { type AgentHost, startAgentHost } from '#test/fixtures/agent-host.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const { systemdHost } = detectCapabilities();
const UNIT = 'spill.service';
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

const POLICY_HERE = { secretFiles: [ENV_FILE], units: { [UNIT]: ['logs', 'restart'] } };
const UNITS = { [UNIT]: '[Service]\nExecStart=/bin/sh -c "cat /opt/app/printed; exit 3"\n' };
const Lines = z.object({ lines: z.array(LogLine) });

describe.skipIf(systemdHost !== true)(`secrets of a real host${whySkipped(systemdHost)}`, () => {
  let host: AgentHost;

  function write(file: string, text: string, mode: number): void {
    const path = join(host.machine.rootPath, file);
    writeFileSync(path, text);
    chmodSync(path, mode);
  }

  beforeAll(async () => {
    host = await startAgentHost({ policy: POLICY_HERE, units: UNITS });
    write(ENV_FILE, `NODE_ENV=production\nPORT=5432\nAPP_SECRET='${SECRET}'\n`, 0o600);
    write('/opt/app/printed', `${PRINTED.join('\n')}\n`, 0o644);
    await host.sh(`systemctl daemon-reload; systemctl start ${UNIT}`);
  });
  afterAll(async () => {
    await host?.close();
  });

  const readLogs = () => host.send({ operation: 'service.logs', spec: { unit: UNIT, lines: 100 } });

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
    const { report, signedBy } = await host.finished((await readLogs()).id);
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
    const { id } = await host.send({
      operation: 'service.restart',
      spec: { unit: UNIT, health: { activeForMs: 500 } },
    });
    const { report, signedBy } = await host.finished(id);
    expect({ state: report.state, signedBy }).toEqual({ state: 'failed', signedBy: 'runner' });
    const output = report.output?.join('\n') ?? '';
    expect(output).toContain('[REDACTED]');
    expect(output).toMatch(/… \[cut: \d+ more characters\]/);
    expectNoSecret(output);
  });

  test('the agent’s account reads neither the file nor a journal', async () => {
    const as = 'setpriv --reuid=lamplighter --regid=lamplighter --init-groups --';
    expect(await host.sh(`${as} cat ${ENV_FILE} 2>&1; true`)).toContain('Permission denied');
    expect(await host.sh(`${as} journalctl -q --no-pager -u ${UNIT} 2>/dev/null; true`)).toBe('');
    expect(await host.sh('systemctl show lamplighter-agent.service -p SupplementaryGroups --value')).toBe('');
  });

  test('a secret file that is there and can not be read keeps every log on the host', async () => {
    const before = await host.sh(`cat ${ENV_FILE}`);
    write(ENV_FILE, 'x'.repeat(1024 * 1024 + 1), 0o600);
    const { report } = await host.finished((await readLogs()).id);
    expect(report).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(`read secret file ${ENV_FILE}`),
    });
    expect(report.result).toBeUndefined();
    write(ENV_FILE, `${before}\n`, 0o600);
  });

  // Twice what runs and waits.
  test('80 logs at once are eight processes at a time, and each asker gets an answer', async () => {
    const watched = host.sh(
      'for i in $(seq 1 300); do ps -C journalctl -o pid= | wc -l; sleep 0.05; done | sort -n | tail -1',
    );
    const sent = await Promise.all(Array.from({ length: 80 }, readLogs));
    const reports = await Promise.all(sent.map(async ({ id }) => (await host.finished(id)).report));
    expect(reports.filter(({ state, code }) => state !== 'succeeded' && code !== 'busy')).toEqual([]);
    expect(reports.filter(({ code }) => code === 'busy').length).toBeGreaterThan(0);
    expect(reports.filter(({ state }) => state === 'succeeded').length).toBeGreaterThanOrEqual(40);
    expect(Number(await watched)).toBeGreaterThan(0);
    expect(Number(await watched)).toBeLessThanOrEqual(8);
  });
});
