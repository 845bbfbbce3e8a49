// The host and the demo platform by themselves: boots, serves from outside, keeps its data, leaves nothing.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootHost, type HostMachine } from '#local/host/machine.ts';
import { installPlatform } from '#local/platform/install.ts';
import { breakWeb, dropTable, platformFingerprint } from '#local/platform/story.ts';
import { detectCapabilities } from '#local/setup/capabilities.ts';
import { observeMachine } from '#test/fixtures/machine-state.ts';

const { systemdHost } = detectCapabilities();

/** Without the ports: a host's are in its own network namespace, and those out here are other people's. */
function observe(marker: string) {
  const { ports: _, ...rest } = observeMachine(marker);
  return rest;
}

describe.skipIf(systemdHost !== true)(`a host with its own systemd (${systemdHost})`, () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'lamplighter-host-'));
  const before = observe(stateDir);
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
    return await fetch(`http://${machine.address}/api/engines`, { signal: AbortSignal.timeout(5000) });
  }

  async function servesAgain(): Promise<unknown> {
    for (let attempt = 0; attempt < 100; attempt++) {
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
    expect(observe(stateDir)).toEqual(before);
  });
});
