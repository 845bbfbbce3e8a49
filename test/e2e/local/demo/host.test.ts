// The host and the demo platform by themselves: boots, serves from outside, keeps its data, leaves nothing.
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { bootHost } from '#local/demo/host/machine.ts';
import { installPlatform } from '#local/demo/platform/install.ts';
import { breakWeb, dropTable, platformFingerprint } from '#local/demo/platform/story.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { NOTHING, observeMachine } from '#test/fixtures/machine-state.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const { systemdHost } = detectCapabilities();

describe.skipIf(systemdHost !== true)(`a host with its own systemd${whySkipped(systemdHost)}`, () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'lamplighter-host-'));
  let machine: HostMachine;

  beforeAll(async () => {
    machine = await bootHost({ stateDir, name: 'web-1', timezone: 'Europe/London', log: () => undefined });
    await installPlatform(machine);
  });
  afterAll(async () => {
    await machine?.powerOff();
    rmSync(stateDir, { recursive: true, force: true });
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

  test('keeps accounts, units and data when the plug is pulled', async () => {
    const { tables } = await platformFingerprint(machine);
    await machine.reboot();
    await servesAgain();
    expect((await platformFingerprint(machine)).tables['public.readings']).toEqual(tables['public.readings']);
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
