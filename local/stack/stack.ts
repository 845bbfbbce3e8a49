// Starts the whole system on one machine, each part after the parts that it needs. `npm start`, the tour, the benches and
// the end-to-end tests all start it here.

import { writeFileSync } from 'node:fs';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { installPlatform } from '#local/demo/platform/install.ts';
import { ROUTES } from '#shared/api/routes.ts';
import { LamplighterError } from '#shared/errors.ts';
import { createClosing } from './closing.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type ControlClient, createControlClient } from './control-client.ts';
import { demoPolicy, demoRunbook } from './demo.ts';
import { openHome, type StackHome } from './home.ts';
import { installAgent } from './host-agent.ts';
import { openKeys } from './keys.ts';
import { openMachine } from './machine.ts';

export interface StackOptions {
  homeDir: string;
  apiPort: number;
  /** Period of the scheduler's `watch` job. */
  tickMs: number;
  /** Entry point of the functions: the sources, or a bundle. */
  functionsSource: string;
  /** The agent's unpacked archive. */
  agentDir: string;
  /** Default: a host with its own systemd, which needs root on Linux. */
  hostKind?: HostMachine['kind'];
  /** Address of another Pub/Sub, such as Google's emulator, instead of ours; a host 0.0.0.0 is replaced by our side of the host's link. */
  pubsubAddress?: string;
  onStep(text: string): void;
  onTrouble(text: string): void;
}

export interface Stack {
  home: StackHome;
  url: string;
  token: string;
  client: ControlClient;
  machine: HostMachine;
  cloud: Cloud;
  close(): Promise<void>;
}

export const HOST_NAME = 'web-1';

/** Starts everything and returns when the host is enrolled and the runbook applied. On failure everything started is stopped. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const closing = createClosing();
  const close = () => closing.closeAll((name, message) => options.onTrouble(`stop ${name}: ${message}`));
  try {
    return { ...(await assemble(options, closing)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function assemble(
  options: StackOptions,
  closing: ReturnType<typeof createClosing>,
): Promise<Omit<Stack, 'close'>> {
  const home = openHome(options.homeDir);
  const keys = await openKeys(home.keys);
  options.onStep(options.hostKind === 'supervised' ? 'starting the supervised host' : 'booting the host');
  const machine = await openMachine({
    kind: options.hostKind ?? 'systemd',
    name: HOST_NAME,
    stateDir: home.host,
    platformDir: home.platform,
  });
  closing.add('host', () => machine.powerOff());
  options.onStep('installing the platform on the host');
  const platform = installPlatform(machine);
  platform.catch(() => undefined);
  const cloud = await startCloud(
    { ...options, home, keys, bindAddress: machine.gatewayAddress, hosts: [HOST_NAME] },
    closing,
  );
  await platform;
  options.onStep('installing the agent on the host');
  const enrolment = await installAgent({
    machine,
    archiveDir: options.agentDir,
    pinnedKeyFile: keys.signingPublicKeyFile,
    policyText: demoPolicy(machine, keys.ageRecipient, cloud.liveUrl),
    pubsubAddress: cloud.pubsubAddress,
    storageEndpoint: cloud.storageEndpoint,
  });
  const client = createControlClient(cloud.url, cloud.token);
  await client.call(ROUTES.enrolHost, { params: { name: HOST_NAME }, body: enrolment.document });
  await client.call(ROUTES.applyRunbook, { body: demoRunbook(machine) });
  cloud.startTicking();
  options.onStep('waiting for the first answer from the host');
  await awaitFirstAnswer(client);
  writeFileSync(home.lampConfig, JSON.stringify({ url: cloud.url, token: cloud.token }), { mode: 0o600 });
  return {
    home,
    url: cloud.url,
    token: cloud.token,
    client,
    machine,
    cloud,
  };
}

/** Shows that commands and reports get through. The command's end also makes the agent send a heartbeat at once. */
async function awaitFirstAnswer(client: ControlClient): Promise<void> {
  const { state, message } = await client.runCommand({
    operation: 'host.vitals',
    params: { host: HOST_NAME },
  });
  if (state === 'succeeded') return;
  throw new LamplighterError(
    'unavailable',
    `reach the agent on ${HOST_NAME}: ${state}: ${message ?? 'the agent did not answer'}`,
  );
}
