// The host and the demo platform by themselves: the host boots, serves from outside, keeps its data and leaves nothing behind,
// also when a program hangs, two hosts start at once, or the owner is killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { SystemdMachine } from '#local/demo/host/host-machine.ts';
import { reapLeftovers } from '#local/demo/host/leftovers.ts';
import { bootHost } from '#local/demo/host/machine.ts';
import { closeLink, openLink } from '#local/demo/host/network.ts';
import { installPlatform } from '#local/demo/platform/install.ts';
import { breakWeb, dropTable, platformFingerprint } from '#local/demo/platform/story.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { NOTHING, observeMachine, ownLinks } from '#test/fixtures/machine-state.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const { systemdHost } = detectCapabilities();
const OWNER = join(import.meta.dirname, '../../../fixtures/host-owner.ts');
const Booted = z.object({ pid: z.int(), address: z.string() });

describe.skipIf(systemdHost !== true)(`a host with its own systemd${whySkipped(systemdHost)}`, () => {
  // Not under /tmp: the host has an empty /tmp of its own in any case.
  const home = mkdtempSync('/var/lib/home of, a stack-');
  const stateDir = join(home, 'host');
  let machine: SystemdMachine;

  beforeAll(async () => {
    mkdirSync(join(home, 'keys'));
    writeFileSync(join(home, 'keys', 'secret'), 'x');
    machine = await bootHost({
      stateDir,
      name: 'web-1',
      timezone: 'Europe/London',
      hiddenPaths: [home],
      log: () => undefined,
    });
    await installPlatform(machine);
  });
  afterAll(async () => {
    await machine?.powerOff();
    rmSync(home, { recursive: true, force: true });
  });

  async function fetchEngines(): Promise<Response> {
    return await fetch(`http://${machine.address}/api/engines`, { signal: AbortSignal.timeout(60_000) });
  }

  async function servesAgain(): Promise<unknown> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
      const response = await fetchEngines().catch(() => undefined);
      if (response?.ok) return await response.json();
      await sleep(200);
    }
    throw new Error('the platform does not answer');
  }

  test('serves JSON from PostgreSQL through nginx across its own network', async () => {
    expect(await servesAgain()).toMatchObject({
      engines: expect.arrayContaining([expect.objectContaining({ id: 1 })]),
    });
  });

  test('gives a date as the day that is stored', async () => {
    expect(await servesAgain()).toMatchObject({
      engines: expect.arrayContaining([expect.objectContaining({ id: 1, commissioned_on: '2012-04-11' })]),
    });
  });

  test('answers a malformed target, and goes on serving', async () => {
    const argv = ['/usr/bin/systemctl', 'show', 'app-web', '-p', 'MainPID,NRestarts'];
    const before = (await machine.run(argv)).stdout;
    const socket = connect(80, machine.address);
    socket.write('GET // HTTP/1.0\r\n\r\n');
    const [head] = await once(socket, 'data');
    socket.destroy();
    expect(String(head)).toContain(' 404 ');
    expect((await machine.run(argv)).stdout).toBe(before);
  });

  test('takes in a file as a row and a job that is worked on, and sets one aside that is not JSON', async () => {
    const incoming = join(machine.rootPath, 'opt/app/incoming');
    writeFileSync(join(incoming, 'lot.json'), '{"lot": "Łódź \\"1\\""}');
    writeFileSync(join(incoming, 'broken.json'), '{"lot": ');
    const sql =
      "SELECT count(*) FROM jobs WHERE payload->>'file' = (SELECT id::text FROM ingest.files WHERE name = 'lot.json') AND status = 'done'";
    const argv = ['/usr/bin/psql', '-X', '-A', '-t', '-d', 'analytics', '-c', sql];
    await expect.poll(async () => (await machine.run(argv, { user: 'postgres' })).stdout.trim()).toBe('1');
    await expect.poll(() => readdirSync(join(incoming, 'refused'))).toEqual(['broken.json']);
  });

  test('has logs of several ages to clean up', async () => {
    const argv = ['/usr/bin/find', '/opt/app/logs', '-name', '*.log', '-mtime', '+7'];
    expect((await machine.run(argv)).stdout.trim().split('\n')).toHaveLength(4);
  });

  test('has hundreds of thousands of rows in several schemas', async () => {
    const { tables } = await platformFingerprint(machine);
    expect(Object.values(tables).reduce((sum, { rows }) => sum + rows, 0)).toBeGreaterThan(300_000);
    expect(Object.keys(tables)).toEqual(
      expect.arrayContaining(['public.readings', 'ingest.files', 'reporting.daily']),
    );
  });

  test('ends a program that takes too long, on the host as well', async () => {
    const began = Date.now();
    const { code } = await machine.run(['/bin/sleep', '77'], { timeoutMs: 300 });
    expect(code).toBe(-1);
    // This is long before the program would have ended by itself.
    expect(Date.now() - began).toBeLessThan(60_000);
    // The program has ended. It may not be reaped yet, but a zombie has no arguments.
    expect((await machine.run(['/bin/ps', '-eo', 'args='])).stdout).not.toContain('sleep 77');
    const asOther = await machine.run(['/bin/sleep', '77'], { user: 'postgres', timeoutMs: 300 });
    expect(asOther.code).toBe(-1);
    expect((await machine.run(['/bin/ps', '-eo', 'args='])).stdout).not.toContain('sleep 77');
  });

  test('gives a program on the host nothing of our environment', async () => {
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
  });

  test("shows the host neither people's files nor the stack's, and lets it set nothing in the kernel", async () => {
    expect(await machine.run(['/bin/ls', '-A', home])).toMatchObject({ code: 0, stdout: '' });
    expect((await machine.run(['/bin/ls', '-A', '/home'])).stdout).toBe('');
    // systemd-tmpfiles creates .ssh.
    expect((await machine.run(['/bin/ls', '-A', '/root'])).stdout).toMatch(/^(\.ssh\n)?$/);
    const set = ['/usr/bin/tee', '/proc/sys/kernel/printk_ratelimit'];
    const refused = await machine.run(set, { input: '5' });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('Read-only file system') });
  });

  test('keeps accounts, units and data when the plug is pulled, and its journal under an id of its own', async () => {
    const { tables } = await platformFingerprint(machine);
    const machineId = (await machine.run(['/bin/cat', '/etc/machine-id'])).stdout;
    expect(machineId).toMatch(/^[0-9a-f]{32}\n$/);
    expect(machineId).not.toBe(existsSync('/etc/machine-id') ? readFileSync('/etc/machine-id', 'utf8') : '');
    await machine.run(['/bin/journalctl', '--sync']);
    await machine.reboot();
    await servesAgain();
    expect((await platformFingerprint(machine)).tables['public.readings']).toEqual(tables['public.readings']);
    expect((await machine.run(['/bin/cat', '/etc/machine-id'])).stdout).toBe(machineId);
    const boots = await machine.run(['/bin/journalctl', '--list-boots', '--no-pager', '-q']);
    expect(
      boots.stdout
        .trim()
        .split('\n')
        .filter((line) => /[0-9a-f]{32}/.test(line)),
    ).toHaveLength(2);
  });

  test('installs a second time over what is there', async () => {
    const { tables } = await platformFingerprint(machine);
    await installPlatform(machine);
    await servesAgain();
    expect((await platformFingerprint(machine)).tables['public.readings']).toEqual(tables['public.readings']);
  });

  test('leaves app-web down when it is killed hard, until somebody restarts it', async () => {
    await breakWeb(machine);
    await sleep(2500);
    expect((await fetchEngines()).status).toBe(502);
    expect((await machine.run(['/bin/systemctl', 'restart', 'app-web'])).code).toBe(0);
    await servesAgain();
  });

  test('can be cut from its network and joined again', async () => {
    await machine.cutNetwork();
    await expect(
      fetch(`http://${machine.address}/`, { signal: AbortSignal.timeout(1000) }),
    ).rejects.toThrow();
    await machine.restoreNetwork();
    await servesAgain();
  });

  test('loses a dropped table', async () => {
    await dropTable(machine, 'reporting.daily');
    expect((await platformFingerprint(machine)).tables['reporting.daily']).toBeUndefined();
  });

  test('leaves no process, mount or link behind', async () => {
    await machine.powerOff();
    expect(observeMachine(stateDir)).toEqual(NOTHING);
  });
});

describe.skipIf(systemdHost !== true)(`around a host${whySkipped(systemdHost)}`, () => {
  const base = mkdtempSync(join(tmpdir(), 'lamplighter-around-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));

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
    // Before a new host starts with that state.
    await expect.poll(() => ownLinks(stateDir)).toEqual([]);
    const machine = await bootHost({
      stateDir,
      name: 'web-1',
      timezone: 'Europe/London',
      log: () => undefined,
    });
    expect(machine.address).toBe(first.address);
    await machine.powerOff();
    await reapLeftovers(stateDir);
    await expect.poll(() => observeMachine(stateDir)).toEqual(NOTHING);
  });
});
