import { describe, expect, test } from 'vitest';
import {
  DISK_PATHS,
  kernelMountArguments,
  laterMountArguments,
  mountArguments,
  overlayArguments,
  rootOf,
} from '#local/demo/host/boot-plan.ts';
import { enterArguments } from '#local/demo/host/machine.ts';
import { chooseSubnet, planLink } from '#local/demo/host/network.ts';

const plan = {
  name: 'web-1',
  timezone: 'Europe/London',
  systemDir: '/',
  bootDir: '/s/boot',
  diskDir: '/s/disk',
  hiddenPaths: [],
};

describe('the boot plan', () => {
  test('puts the overlay on the whole machine, with no path of ours among its options', () => {
    expect(overlayArguments({ ...plan, bootDir: '/a,b/boot' })).toEqual([
      '-t',
      'overlay',
      'overlay',
      '-o',
      'lowerdir=lower,upperdir=upper,workdir=work',
      '/a,b/boot/root',
    ]);
  });

  test("makes the kernel's settings read-only before the boot id is laid over one of them", () => {
    const lines = kernelMountArguments(plan, () => true).map((args) => args.join(' '));
    expect(lines).toContain('-o remount,bind,ro /s/boot/root/proc/sys');
    expect(lines).toContain('-o remount,bind,ro /s/boot/root/proc/sysrq-trigger');
    expect(lines.at(-1)).toBe('--bind /s/boot/boot-id /s/boot/root/proc/sys/kernel/random/boot_id');
  });

  test('gives the host a /dev, /run and /tmp of its own', () => {
    const targets = mountArguments(plan).map((args) => args.at(-1));
    expect(targets).toEqual(
      expect.arrayContaining(['dev', 'run', 'tmp', 'var/tmp', 'proc'].map((dir) => `/s/boot/root/${dir}`)),
    );
  });

  test.each([...DISK_PATHS])('keeps %s on the disk', (path) => {
    expect(laterMountArguments(plan)).toContainEqual(['--bind', `/s/disk${path}`, `${rootOf(plan)}${path}`]);
  });
});

describe('the link', () => {
  test('has names the kernel takes, and others for other hosts', () => {
    const link = planLink('/a', 7);
    expect(link).toMatchObject({ address: '10.177.7.2', gatewayAddress: '10.177.7.1' });
    for (const name of [link.bridge, link.outer]) expect(name.length).toBeLessThanOrEqual(15);
    expect(planLink('/b', 7).bridge).not.toBe(link.bridge);
  });

  test.each([
    [[], 4, 4],
    [['10.177.4.1'], 4, 0],
    [['10.177.0.1', '10.177.1.1'], 0, 2],
  ])('with %j taken, takes subnet %i as %i', (taken, preferred, chosen) => {
    expect(chooseSubnet(new Set(taken), preferred)).toBe(chosen);
  });

  test('says so when every subnet is taken', () => {
    const all = new Set(Array.from({ length: 256 }, (_, i) => `10.177.${i}.1`));
    expect(() => chooseSubnet(all, 0)).toThrow('all of 10.177.0.0/16 is taken');
  });
});

describe('entering the host', () => {
  test('drops to an account before the program starts, and passes arguments as they are', () => {
    const argv = ['/usr/bin/psql', '-c', 'SELECT 1; -- $(x)'];
    expect(enterArguments(42, argv, 'postgres').slice(-9)).toEqual([
      '/usr/bin/setpriv',
      '--pdeathsig=KILL',
      '--reuid=postgres',
      '--regid=postgres',
      '--init-groups',
      '--',
      ...argv,
    ]);
    expect(enterArguments(42, argv).slice(-6)).toEqual([
      '/usr/bin/setpriv',
      '--pdeathsig=KILL',
      '--',
      ...argv,
    ]);
  });
});
