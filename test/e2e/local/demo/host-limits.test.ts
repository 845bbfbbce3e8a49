// What must hold when things go wrong around a host: a program that hangs, two starts at once, an owner that is killed.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { reapLeftovers } from '#local/demo/host/leftovers.ts';
import { bootHost } from '#local/demo/host/machine.ts';
import { closeLink, openLink } from '#local/demo/host/network.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { NOTHING, observeMachine, ownLinks } from '#test/fixtures/machine-state.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const { systemdHost } = detectCapabilities();
const OWNER = join(import.meta.dirname, '../../../fixtures/host-owner.ts');
const Booted = z.object({ pid: z.int(), address: z.string() });

describe.skipIf(systemdHost !== true)(`around a host${whySkipped(systemdHost)}`, () => {
  const base = mkdtempSync(join(tmpdir(), 'lamplighter-limits-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  function boot(name: string) {
    return bootHost({
      stateDir: join(base, name),
      name: 'web-1',
      timezone: 'Europe/London',
      log: () => undefined,
    });
  }

  test('ends a program that takes too long, on the host as well, and can still power off', async () => {
    const machine = await boot('slow');
    try {
      const began = Date.now();
      const { code } = await machine.run(['/bin/sleep', '77'], { timeoutMs: 300 });
      expect(code).toBe(-1);
      // Long before it would have ended by itself.
      expect(Date.now() - began).toBeLessThan(60_000);
      // Ended, and at most not yet reaped: a zombie has no arguments.
      expect((await machine.run(['/bin/ps', '-eo', 'args='])).stdout).not.toContain('sleep 77');
      const asOther = await machine.run(['/bin/sleep', '77'], { user: 'postgres', timeoutMs: 300 });
      expect(asOther.code).toBe(-1);
      expect((await machine.run(['/bin/ps', '-eo', 'args='])).stdout).not.toContain('sleep 77');
      await machine.powerOff();
    } finally {
      await machine.powerOff();
    }
  });

  test('gives a program on the host nothing of our environment', async () => {
    const machine = await boot('environment');
    try {
      const child = machine.spawn(['/usr/bin/env']);
      const chunks: Buffer[] = [];
      child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
      await new Promise((resolve) => child.once('close', resolve));
      const names = Buffer.concat(chunks)
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0]);
      expect(new Set(names)).toEqual(new Set(['LANG', 'PATH']));
    } finally {
      await machine.powerOff();
    }
  });

  test("shows the host neither people's files nor the stack's, and lets it set nothing in the kernel", async () => {
    // Not under /tmp, which the host has afresh anyway.
    const home = mkdtempSync('/var/lib/home of, a stack-');
    mkdirSync(join(home, 'keys'));
    writeFileSync(join(home, 'keys', 'secret'), 'x');
    const machine = await bootHost({
      stateDir: join(home, 'host'),
      name: 'web-1',
      timezone: 'Europe/London',
      hiddenPaths: [home],
      log: () => undefined,
    });
    try {
      expect(await machine.run(['/bin/ls', '-A', home])).toMatchObject({ code: 0, stdout: '' });
      expect((await machine.run(['/bin/ls', '-A', '/home'])).stdout).toBe('');
      // systemd-tmpfiles makes that one.
      expect((await machine.run(['/bin/ls', '-A', '/root'])).stdout).toMatch(/^(\.ssh\n)?$/);
      const set = ['/usr/bin/tee', '/proc/sys/kernel/printk_ratelimit'];
      const refused = await machine.run(set, { input: '5' });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('Read-only file system') });
    } finally {
      await machine.powerOff();
      rmSync(home, { recursive: true, force: true });
    }
  });

  test('keeps its journal over a reboot, boot by boot, under an id of its own', async () => {
    const machine = await boot('journal');
    try {
      const machineId = (await machine.run(['/bin/cat', '/etc/machine-id'])).stdout;
      expect(machineId).toMatch(/^[0-9a-f]{32}\n$/);
      expect(machineId).not.toBe(
        existsSync('/etc/machine-id') ? readFileSync('/etc/machine-id', 'utf8') : '',
      );
      await machine.run(['/bin/journalctl', '--sync']);
      await machine.reboot();
      expect((await machine.run(['/bin/cat', '/etc/machine-id'])).stdout).toBe(machineId);
      const boots = await machine.run(['/bin/journalctl', '--list-boots', '--no-pager', '-q']);
      expect(
        boots.stdout
          .trim()
          .split('\n')
          .filter((line) => /[0-9a-f]{32}/.test(line)),
      ).toHaveLength(2);
    } finally {
      await machine.powerOff();
    }
  });

  test('gives hosts that start at once, and want the same subnet, different ones', async () => {
    const wanted = { bridge: 'x', outer: 'x', address: '10.177.9.2', gatewayAddress: '10.177.9.1' };
    const dirs = ['one', 'two', 'three'].map((name) => join(base, name));
    for (const dir of dirs) {
      mkdirSync(dir, { recursive: true });
      writeFileSync(join(dir, 'link.json'), JSON.stringify(wanted));
    }
    const links = await Promise.all(dirs.map((dir) => openLink(dir)));
    for (const link of links) await closeLink(link);
    expect(new Set(links.map(({ gatewayAddress }) => gatewayAddress)).size).toBe(dirs.length);
  });

  test('dies with its owner, and the next start takes the disk over cleanly', async () => {
    const stateDir = join(base, 'owned');
    const owner = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', OWNER, stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await new Promise<string>((resolve, reject) => {
      owner.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      owner.once('exit', () => reject(new Error('the owner ended before its host was up')));
    });
    const first = Booted.parse(JSON.parse(said));
    owner.kill('SIGKILL');
    // Before anybody starts there again.
    await expect.poll(() => ownLinks(stateDir)).toEqual([]);
    const machine = await boot('owned');
    expect(machine.address).toBe(first.address);
    await machine.powerOff();
    await reapLeftovers(stateDir);
    await expect.poll(() => observeMachine(stateDir)).toEqual(NOTHING);
  });
});
