// Which accounts reach the metadata server of a real host: before the installer sets the guard up, with the guard, and after
// it. A process in a network namespace of its own answers at the addresses of Google's server.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AgentHost } from '#test/fixtures/agent-host.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const able = existsSync('/usr/sbin/nft') || 'that needs nftables';
const NODE = '/opt/lamplighter/bin/node';
const PROBE = '/opt/probe.mjs';
const PACKAGE = '/opt/lamplighter-package';
const INSTALL = `${PACKAGE}/bin/node ${PACKAGE}/lib/install.mjs`;
// This agent gets no commands, so it has the address of no Pub/Sub.
const AGAIN = `${INSTALL} --host web-1 --project test --pinned-key ${PACKAGE}/control-plane.pem --env PUBSUB_EMULATOR_HOST=127.0.0.1:1`;

/** A veth pair to a namespace, which has addresses besides its end of the link. */
const link = (name: string, net: number, ...addresses: string[]) => `
ip netns add ${name}; ip link add to-${name} type veth peer name eth0 netns ${name}
ip addr add 10.9.${net}.1/24 dev to-${name}; ip addr add fd20:${net}::1/64 dev to-${name} nodad; ip link set to-${name} up
${[`10.9.${net}.2/24`, `fd20:${net}::2/64`, ...addresses]
  .map((address) => `ip -n ${name} addr add ${address} dev eth0 ${address.includes('::') ? 'nodad' : ''}`)
  .join('\n')}
ip -n ${name} link set lo up; ip -n ${name} link set eth0 up
ip -n ${name} route add default via 10.9.${net}.1; ip -n ${name} -6 route add default via fd20:${net}::1
`;
const NETWORK = `set -e
${link('google', 1, '169.254.169.254/32', 'fd20:ce::254/128')}
${link('container', 2)}
ip route add 169.254.169.254 via 10.9.1.2; ip -6 route add fd20:ce::254 via fd20:1::2
systemd-run --quiet --unit=google --service-type=notify --property=NotifyAccess=all ip netns exec google ${NODE} ${PROBE} serve
`;

/** Run from outside: the host's own /proc/sys is read-only. */
const FORWARD = 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding';

const OPEN_TO_ALL = {
  '169.254.169.254 53': 'identity',
  '169.254.169.254 8080': 'identity',
  'dns over udp': 'answer',
};
const served = (answer: string) => ({
  '169.254.169.254 80': answer,
  '169.254.169.254 443': answer,
  'fd20:ce::254 80': answer,
  ...OPEN_TO_ALL,
});
const ANSWERED = served('identity');
const REFUSED = served('ECONNREFUSED');

/** The tests of the guard, on a host of `host.test.ts`. The last of them uninstalls the agent. */
export function describeMetadataGuard(host: () => AgentHost): void {
  describe.skipIf(able !== true)(`the metadata server${whySkipped(able)}`, () => {
    const ask = async (user: string): Promise<unknown> =>
      JSON.parse(await host().sh(`setpriv --reuid=${user} --clear-groups ${NODE} ${PROBE}`));
    const askInContainer = async (): Promise<unknown> =>
      JSON.parse(await host().sh(`ip netns exec container ${NODE} ${PROBE}`));
    const askAll = async () => ({
      root: await ask('root'),
      agent: await ask('lamplighter'),
      uploader: await ask('lamplighter-backup'),
      other: await ask('nobody'),
      postgres: await ask('postgres'),
      container: await askInContainer(),
    });
    const OPEN = {
      root: ANSWERED,
      agent: ANSWERED,
      uploader: ANSWERED,
      other: ANSWERED,
      postgres: ANSWERED,
      container: ANSWERED,
    };
    const GUARDED = { ...OPEN, other: REFUSED, postgres: REFUSED, container: REFUSED };
    const guardState = () => host().sh('systemctl is-active lamplighter-metadata-guard.service; true');

    async function connectNetwork(): Promise<void> {
      const inside = ['-t', String(host().machine.pid), '-n', '/bin/sh', '-c', FORWARD];
      expect(spawnSync('/usr/bin/nsenter', inside, { encoding: 'utf8' })).toMatchObject({ status: 0 });
      const { code, stderr } = await host().machine.run(['/bin/sh', '-c', NETWORK]);
      expect(code, stderr).toBe(0);
    }

    beforeAll(async () => {
      cpSync(
        join(import.meta.dirname, '../../fixtures/metadata-probe.mjs'),
        join(host().machine.rootPath, PROBE),
      );
      await connectNetwork();
    });

    test('is open to every account until the installer is asked to guard it', async () => {
      expect(await askAll()).toEqual(OPEN);
      expect(await guardState()).toBe('inactive');
    });

    test('then answers root and the two accounts that need it, and DNS answers everybody', async () => {
      expect(await host().sh(`${AGAIN} --guard-metadata 2>&1`)).toContain(
        'Only root and the accounts of Lamplighter',
      );
      expect(await askAll()).toEqual(GUARDED);
    });

    test('an update that says nothing keeps the guard, once', async () => {
      const before = await host().sh('nft list table inet lamplighter');
      await host().sh(AGAIN);
      expect(await host().sh('nft list table inet lamplighter')).toBe(before);
      expect(await ask('nobody')).toEqual(REFUSED);
    });

    test('a firewall that empties all rules when it reloads or restarts does not take the guard with it', async () => {
      await host().sh(
        'systemctl start nftables.service; systemctl restart lamplighter-metadata-guard.service',
      );
      for (const verb of ['reload', 'restart']) {
        await host().sh(`systemctl ${verb} nftables.service`);
        expect(await ask('nobody'), verb).toEqual(REFUSED);
      }
    });

    test('a host that boots has the guard before the agent starts', async () => {
      const ordered = await host().sh('systemctl show lamplighter-agent.service -p After --value');
      expect(ordered.split(' ')).toContain('lamplighter-metadata-guard.service');
      await host().machine.reboot();
      await connectNetwork();
      expect(await askAll()).toEqual(GUARDED);
    });

    test('--no-guard-metadata opens the server again', async () => {
      await host().sh(`${AGAIN} --no-guard-metadata`);
      expect(await askAll()).toEqual(OPEN);
    });

    test('a guard that is taken away without nft says that its rules hold on, and how to end them', async () => {
      await host().sh(`${AGAIN} --guard-metadata`);
      await host().sh('mv /usr/sbin/nft /usr/sbin/nft.gone');
      const said = await host().sh(`${AGAIN} --no-guard-metadata 2>&1`);
      await host().sh('mv /usr/sbin/nft.gone /usr/sbin/nft');
      expect(said).toMatch(/^Warning: .* until the next boot.*nft delete table inet lamplighter$/m);
      expect(await ask('nobody')).toEqual(REFUSED);
      await host().sh('nft delete table inet lamplighter');
      expect(await ask('nobody')).toEqual(ANSWERED);
    });

    test('uninstalling leaves no rule, unit or file of the guard', async () => {
      await host().sh(`${AGAIN} --guard-metadata`);
      expect(await guardState()).toBe('active');
      const node = `${PACKAGE}/bin/node`;
      await host().sh(`${INSTALL} --uninstall`);
      expect(await guardState()).toBe('inactive');
      expect(await host().sh('nft list tables; find /etc -name "*metadata-guard*"')).toBe('');
      expect(JSON.parse(await host().sh(`setpriv --reuid=nobody --clear-groups ${node} ${PROBE}`))).toEqual(
        ANSWERED,
      );
    });
  });
}
