// The whole tour, as a new user starts it: `npm start -- --tour` as a process of its own, from the sources. Then the stack is
// started again with the same state, and `kill -9` hits the agent or the runner on the real host in the middle of commands:
// each command ends truthfully, and nothing runs twice.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { runnerOn } from '#local/demo/host/machine.ts';
import { platformFingerprint } from '#local/demo/platform/story.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { type ControlClient, createControlClient } from '#local/stack/control-client.ts';
import { ROUTES } from '#shared/api/routes.ts';
import { type CommandRequest, type CommandView } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { loopUntil } from '#test/fixtures/agent-host.ts';
import { isLong } from '#test/fixtures/long.ts';
import { NOTHING, observeMachine } from '#test/fixtures/machine-state.ts';
import { type Started, startMain } from '#test/fixtures/npm-start.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const { systemdHost } = detectCapabilities();
const homeDir = mkdtempSync(join(tmpdir(), 'lamplighter-tour-'));

afterAll(() => rmSync(homeDir, { recursive: true, force: true }));

const observe = () => observeMachine(homeDir, join(homeDir, 'host'));

async function waitFor<T>(probe: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const found = await probe();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('what was waited for did not come');
}

/** The first process of the host whose files are in `homeDir`: the child of the unshare(1) that made its namespaces. */
function firstProcessOfHost(): number {
  const { stdout } = spawnSync('/bin/ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' });
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  const [unshare] =
    rows.find(([, , ...args]) => args[0] === 'unshare' && args.join(' ').includes(homeDir)) ?? [];
  return Number(rows.find(([, parent]) => parent === unshare)?.[0]);
}

describe.skipIf(systemdHost !== true)(`npm start${whySkipped(systemdHost)}`, () => {
  test('plays the whole tour, exits 0 and leaves nothing behind', async () => {
    const { ended, output, tree } = await startMain(homeDir, ['--tour']);
    expect(await ended, output()).toBe(0);
    expect(output()).toMatch(/incident INC-\d+: P1/);
    expect(output()).toMatch(/rows, checksum \S+ as before/);
    expect(output()).toContain('the tour is complete');
    expect(observe()).toEqual(NOTHING);
    expect(tree.alive()).toEqual([]);
  });

  describe('started again', () => {
    let main: Started;
    let client: ControlClient;
    let machine: Parameters<typeof platformFingerprint>[0];

    afterAll(() => void main?.child.kill('SIGKILL'));

    test('knows the backup that the tour took', async () => {
      main = await startMain(homeDir, ['--plain']);
      await expect.poll(main.output).toContain('Last backup');
      expect(main.output()).toMatch(/\d{8}T\d{6}Z-[0-9a-f]{6}/);
      const { url, token } = z
        .object({ url: z.string(), token: z.string() })
        .parse(JSON.parse(readFileSync(join(homeDir, 'lamp.json'), 'utf8')));
      client = createControlClient(url, token);
      const pid = firstProcessOfHost();
      machine = { name: 'web-1', path: (path) => path, port: (port) => port, run: runnerOn(() => pid) };
    });

    test('refuses to start twice, and says where the first runs', async () => {
      const second = await startMain(homeDir, ['--plain']);
      expect(await second.ended).toBe(1);
      const where = new RegExp(`already runs at http://127\\.0\\.0\\.1:\\d+ \\(process ${main.child.pid}\\)`);
      expect(second.output()).toMatch(where);
    });

    async function request(body: Partial<CommandRequest> & { operation: string }): Promise<string> {
      return (await client.call(ROUTES.requestCommand, { body })).id;
    }

    async function settled(id: string): Promise<CommandView> {
      return await waitFor(async () => {
        const { command } = await client.call(ROUTES.readCommand, { params: { id } });
        return isSettled(command.state) ? command : undefined;
      });
    }

    const sh = (script: string) => machine.run(['/bin/sh', '-c', script]);

    /** Waits for the run's own record: a report would come too late for a kill in the middle of a step. */
    async function begun(id: string, step: string): Promise<void> {
      const record = `/var/lib/lamplighter/runs/${id}/steps.ndjson`;
      const { code } = await sh(loopUntil(`grep -q '"step":"${step}","phase":"begin"' ${record}`));
      expect(code, `${step} of ${id} began`).toBe(0);
    }

    async function kill(unit: string): Promise<void> {
      await machine.run(['/usr/bin/systemctl', 'kill', '--signal=SIGKILL', unit]);
    }

    async function starts(unit: string): Promise<number> {
      // The journal records a start a little later than systemctl returns.
      const { stdout } = await sh(`journalctl --sync; journalctl -u ${unit} -o cat --no-pager`);
      return stdout.split('\n').filter((line) => line.startsWith('Started ')).length;
    }

    /** The newest backup once it is verified; until `id` is recorded, the one before is the newest. */
    async function newestBackup(id?: string): Promise<string> {
      return await waitFor(async () => {
        const { lastBackup } = await client.call(ROUTES.readStatus, {});
        if (id !== undefined && lastBackup?.id !== id) return undefined;
        return lastBackup?.proof.state === 'verified' ? lastBackup.id : undefined;
      });
    }

    test('the agent killed during a restart: the restart ends once and its result arrives', async () => {
      const before = await starts('app-web.service');
      const id = await request({ operation: 'service.restart', params: { service: 'web' } });
      await begun(id, 'restart');
      await kill('lamplighter-agent.service');
      expect(await settled(id)).toMatchObject({ state: 'succeeded' });
      expect(await starts('app-web.service')).toBe(before + 1);
    });

    test('the agent killed during a backup: the backup ends and is verified', async () => {
      const id = await request({ operation: 'backup.run' });
      await begun(id, 'database');
      await kill('lamplighter-agent.service');
      const command = await settled(id);
      expect(command).toMatchObject({ state: 'succeeded' });
      const { backupId } = z.object({ backupId: z.string() }).parse(command.result);
      expect(await newestBackup(backupId)).toBe(backupId);
    });

    test('the agent killed during a restore: the restore ends and the rows are there', async () => {
      const before = await platformFingerprint(machine);
      const id = await request({
        operation: 'restore.run',
        params: { backup: await newestBackup(), confirm: 'analytics' },
      });
      await begun(id, 'restore-database');
      await kill('lamplighter-agent.service');
      expect(await settled(id)).toMatchObject({ state: 'succeeded' });
      const after = await platformFingerprint(machine);
      expect(after.tables['public.readings']).toEqual(before.tables['public.readings']);
    });

    test('the runner killed during a restore: everything is put back and the services run', async () => {
      const id = await request({
        operation: 'restore.run',
        params: { backup: await newestBackup(), confirm: 'analytics' },
      });
      await begun(id, 'restore-database');
      await kill('lamplighter-run@*.service');
      const command = await settled(id);
      expect(command.state).toBe('failed');
      const { services } = await waitFor(async () => {
        const status = await client.call(ROUTES.readStatus, {});
        return status.services.every((service) => service.activeState === 'active') ? status : undefined;
      });
      expect(services.length).toBeGreaterThan(3);
      const databases = await machine.run(['/usr/bin/psql', '-XAtc', 'SELECT datname FROM pg_database'], {
        user: 'postgres',
      });
      expect(databases.stdout).not.toMatch(/analytics_restore_/);

      // What a recovery leaves that was killed before it had cleaned up: the next recovery finds it by its record.
      const dir = `/var/backups/lamplighter/.restore-${id.slice(-6)}`;
      const record = `/var/lib/lamplighter/work/${id}.json`;
      const left = await sh(
        `set -e; systemctl stop lamplighter-recover.timer; systemctl start lamplighter-recover.service
         mkdir -p ${dir} /var/lib/lamplighter/work; echo rows > ${dir}/database.dump; echo '{"dir":"${dir}"}' > ${record}
         systemctl start lamplighter-recover.service; ls -d ${dir} ${record} 2>/dev/null || true`,
      );
      expect(left).toMatchObject({ code: 0, stdout: '' });
    });

    test('Ctrl-C ends it, and leaves nothing behind', async () => {
      main.child.kill('SIGINT');
      expect(await main.ended, main.output()).toBe(0);
      expect(observe()).toEqual(NOTHING);
      expect(main.tree.alive()).toEqual([]);
    });
  });

  // Other tests show the parts of this: a host whose owner is killed, and a stack without systemd that is killed.
  if (isLong)
    test('killed hard, it leaves nothing behind either', async () => {
      const { child, output, tree } = await startMain(homeDir, ['--plain']);
      await expect.poll(output).toContain('Last backup');
      child.kill('SIGKILL');
      await expect.poll(observe).toEqual(NOTHING);
      await expect.poll(tree.alive).toEqual([]);
    });
});
