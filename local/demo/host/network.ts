// The host's link to the outside: a bridge on our side that holds the gateway's address and stays through reboots, and a
// veth pair into the host's own network namespace. No route leads further.
import { createHash, randomInt } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { runProgram } from './run-program.ts';

const IP = '/sbin/ip';
const NSENTER = '/usr/bin/nsenter';
/** 10.177.0.0 to 10.177.255.0. */
const SUBNETS = 256;
const MAX_ATTEMPTS = 20;

/** Names and addresses of one host's link; names stay within the kernel's 15 characters. */
export const HostLink = z.object({
  bridge: z.string(),
  outer: z.string(),
  address: z.string(),
  gatewayAddress: z.string(),
});
export type HostLink = z.infer<typeof HostLink>;

function digestOf(stateDir: string): Buffer {
  return createHash('sha256').update(stateDir).digest();
}

/** Which subnet to try first: spread by the state's place, so that two hosts that start at once rarely want the same. */
export function preferredSubnet(stateDir: string): number {
  return digestOf(stateDir)[0] ?? 0;
}

/** The link of the host whose state is in `stateDir`, in subnet 10.177.`subnet`.0/30. */
export function planLink(stateDir: string, subnet: number): HostLink {
  const tag = digestOf(stateDir).toString('hex').slice(0, 8);
  return {
    bridge: `lampbr${tag}`,
    outer: `lampve${tag}`,
    address: `10.177.${subnet}.2`,
    gatewayAddress: `10.177.${subnet}.1`,
  };
}

/** The first subnet whose gateway no interface has; `preferred` when it is free. Throws `unavailable` when all are taken. */
export function chooseSubnet(taken: ReadonlySet<string>, preferred: number): number {
  const candidates = [preferred, ...Array.from({ length: SUBNETS }, (_, i) => i)];
  const free = candidates.find((subnet) => !taken.has(`10.177.${subnet}.1`));
  if (free === undefined)
    throw new LamplighterError('unavailable', 'choose subnet: all of 10.177.0.0/16 is taken');
  return free;
}

const IpAddresses = z.array(
  z.object({ ifname: z.string(), addr_info: z.array(z.object({ local: z.string() })) }).partial(),
);

/** Asked of ip(8): Node's own list leaves out a bridge without a carrier, such as that of a host that is still booting. */
async function takenAddresses(exceptBridge: string): Promise<Set<string>> {
  const { stdout } = await runProgram(IP, ['-4', '-j', 'address', 'show']);
  const others = IpAddresses.parse(JSON.parse(stdout || '[]')).filter(
    ({ ifname }) => ifname !== exceptBridge,
  );
  return new Set(others.flatMap(({ addr_info: addresses }) => (addresses ?? []).map(({ local }) => local)));
}

async function ip(args: string[]): Promise<void> {
  const { code, stderr } = await runProgram(IP, args);
  if (code !== 0)
    throw new LamplighterError('failed', `set up network: ip ${args.join(' ')}: ${stderr.trim()}`);
}

/** Chooses the link (that of the last start when it is free), and makes the bridge with the gateway's address. */
export async function openLink(stateDir: string): Promise<HostLink> {
  const file = join(stateDir, 'link.json');
  const known = existsSync(file)
    ? HostLink.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data
    : undefined;
  const preferred = known ? Number(known.gatewayAddress.split('.')[2]) : preferredSubnet(stateDir);
  const { bridge } = planLink(stateDir, preferred);
  let subnet = preferred;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const link = planLink(stateDir, chooseSubnet(await takenAddresses(bridge), subnet));
    await makeBridge(link);
    // The kernel lets two bridges have the same address. A host that sees another bridge with its address gives way; of two
    // that look at the same time, both do.
    if (!(await takenAddresses(bridge)).has(link.gatewayAddress)) {
      writeFileSync(file, JSON.stringify(link));
      return link;
    }
    await closeLink(link);
    subnet = randomInt(SUBNETS);
  }
  throw new LamplighterError('unavailable', `open link of ${stateDir}: other hosts take each subnet first`, {
    retryable: true,
  });
}

async function makeBridge(link: HostLink): Promise<void> {
  await closeLink(link);
  await ip(['link', 'add', 'name', link.bridge, 'type', 'bridge']);
  await ip(['addr', 'add', `${link.gatewayAddress}/30`, 'dev', link.bridge]);
  await ip(['link', 'set', link.bridge, 'up']);
}

/** Puts one end of a veth pair into the network namespace of `pid` as eth0, with the host's address. */
export async function connectHost(link: HostLink, pid: number): Promise<void> {
  // The kernel removes the last boot's pair some time after its namespace.
  await runProgram(IP, ['link', 'del', link.outer]);
  await ip(['link', 'add', link.outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
  await ip(['link', 'set', link.outer, 'master', link.bridge]);
  await ip(['link', 'set', link.outer, 'up']);
  const inside = ['-t', String(pid), '-n', IP];
  for (const args of [
    ['addr', 'add', `${link.address}/30`, 'dev', 'eth0'],
    ['link', 'set', 'eth0', 'up'],
    ['link', 'set', 'lo', 'up'],
  ]) {
    const { code, stderr } = await runProgram(NSENTER, [...inside, ...args]);
    if (code !== 0) throw new LamplighterError('failed', `set up the host's network: ${stderr.trim()}`);
  }
}

/** Takes the cable out, or puts it back. */
export async function setCable(link: HostLink, isConnected: boolean): Promise<void> {
  await ip(['link', 'set', link.outer, isConnected ? 'up' : 'down']);
}

/** Removes the link's interfaces; missing ones are no error. */
export async function closeLink(link: HostLink): Promise<void> {
  await runProgram(IP, ['link', 'del', link.outer]);
  await runProgram(IP, ['link', 'del', link.bridge]);
}
