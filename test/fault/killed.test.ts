// `kill -9` in the middle of things, on the real host: each leaves a truthful final state, and nothing runs twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { platformFingerprint } from '#local/demo/platform/story.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { ROUTES } from '#shared/api/routes.ts';
import { CommandDetail, type CommandRequest, CommandView } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { loopUntil } from '#test/fixtures/agent-host.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';
import { startTestStack, type TestStack } from '#test/fixtures/stack.ts';

const { systemdHost } = detectCapabilities();

async function waitFor<T>(probe: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const found = await probe();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('what was waited for did not come');
}

describe.skipIf(systemdHost !== true)(`killed in the middle${whySkipped(systemdHost)}`, () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await startTestStack();
  });
  afterAll(async () => {
    await stack?.close();
  });

  async function request(body: Partial<CommandRequest> & { operation: string }): Promise<string> {
    const response = await fetch(`${stack.url}/v1/commands`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return z.object({ id: z.string() }).parse(await response.json()).id;
  }

  async function see(id: string): Promise<CommandDetail> {
    return await stack.client.call(ROUTES.readCommand, { params: { id } });
  }

  async function settled(id: string): Promise<CommandView> {
    return await waitFor(async () => {
      const { command } = await see(id);
      return isSettled(command.state) ? command : undefined;
    });
  }

  const sh = (script: string) => stack.machine.run(['/bin/sh', '-c', script]);

  /** Looked for in the run's own record: what kills in the middle of a step must not wait for its report. */
  async function begun(id: string, step: string): Promise<void> {
    const record = `/var/lib/lamplighter/runs/${id}/steps.ndjson`;
    const { code } = await sh(loopUntil(`grep -q '"step":"${step}","phase":"begin"' ${record}`));
    expect(code, `${step} of ${id} began`).toBe(0);
  }

  async function kill(unit: string): Promise<void> {
    await stack.machine.run(['/usr/bin/systemctl', 'kill', '--signal=SIGKILL', unit]);
  }

  async function starts(unit: string): Promise<number> {
    // The journal hears of a start a little later than who waits for it.
    const { stdout } = await sh(`journalctl --sync; journalctl -u ${unit} -o cat --no-pager`);
    return stdout.split('\n').filter((line) => line.startsWith('Started ')).length;
  }

  async function newestBackup(): Promise<string> {
    return await waitFor(async () => {
      const { lastBackup } = await stack.client.call(ROUTES.readStatus, {});
      return lastBackup?.proof.state === 'verified' ? lastBackup.id : undefined;
    });
  }

  test('the agent, during a restart: the restart ends once and its result arrives', async () => {
    const before = await starts('app-web.service');
    const id = await request({ operation: 'service.restart', params: { service: 'web' } });
    await begun(id, 'restart');
    await kill('lamplighter-agent.service');
    expect(await settled(id)).toMatchObject({ state: 'succeeded' });
    expect(await starts('app-web.service')).toBe(before + 1);
  });

  test('the agent, during a backup: the backup ends and is verified', async () => {
    const id = await request({ operation: 'backup.run' });
    await begun(id, 'database');
    await kill('lamplighter-agent.service');
    const command = await settled(id);
    expect(command).toMatchObject({ state: 'succeeded' });
    expect(await newestBackup()).toBe(z.object({ backupId: z.string() }).parse(command.result).backupId);
  });

  test('the agent, during a restore: the restore ends and the rows are there', async () => {
    const before = await platformFingerprint(stack.machine);
    const id = await request({
      operation: 'restore.run',
      params: { backup: await newestBackup(), confirm: 'analytics' },
    });
    await begun(id, 'restore-database');
    await kill('lamplighter-agent.service');
    expect(await settled(id)).toMatchObject({ state: 'succeeded' });
    const after = await platformFingerprint(stack.machine);
    expect(after.tables['public.readings']).toEqual(before.tables['public.readings']);
  });

  test('the runner, during a restore: everything is put back and the services run', async () => {
    const id = await request({
      operation: 'restore.run',
      params: { backup: await newestBackup(), confirm: 'analytics' },
    });
    await begun(id, 'restore-database');
    await kill('lamplighter-run@*.service');
    const command = await settled(id);
    expect(command.state).toBe('failed');
    const { services } = await waitFor(async () => {
      const status = await stack.client.call(ROUTES.readStatus, {});
      return status.services.every((service) => service.activeState === 'active') ? status : undefined;
    });
    expect(services.length).toBeGreaterThan(3);
    const databases = await stack.machine.run(['/usr/bin/psql', '-XAtc', 'SELECT datname FROM pg_database'], {
      user: 'postgres',
    });
    expect(databases.stdout).not.toMatch(/analytics_restore_/);

    // As a recovery leaves it that was killed itself before it had cleared away: the next one finds it by its record.
    const dir = `/var/backups/lamplighter/.restore-${id.slice(-6)}`;
    const record = `/var/lib/lamplighter/work/${id}.json`;
    const left = await sh(
      `set -e; systemctl stop lamplighter-recover.timer; systemctl start lamplighter-recover.service
       mkdir -p ${dir} /var/lib/lamplighter/work; echo rows > ${dir}/database.dump; echo '{"dir":"${dir}"}' > ${record}
       systemctl start lamplighter-recover.service; ls -d ${dir} ${record} 2>/dev/null || true`,
    );
    expect(left).toMatchObject({ code: 0, stdout: '' });
  });
});
