// Puts our agent on the demo host with the installer that production uses, and enrols the keys that it made there.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { HostEnrolment } from '#shared/enrolment.ts';
import { LamplighterError } from '#shared/errors.ts';
import { DsseEnvelope } from '#shared/signing/dsse.ts';
import { PROJECT_ID } from './identities.ts';

export interface AgentInstall {
  machine: HostMachine;
  /** The unpacked archive that the build made. */
  archiveDir: string;
  pinnedKeyFile: string;
  policyText: string;
  pubsubAddress: string;
  storageEndpoint: string;
}

const PACKAGE_DIR = '/opt/lamplighter-package';

/** What the installer printed: the signed document, and what it says. */
export type PrintedEnrolment = HostEnrolment & { document: DsseEnvelope };

/** Installs or updates the agent and returns what enrols it. Throws `failed` with the installer's last words. */
export async function installAgent(install: AgentInstall): Promise<PrintedEnrolment> {
  const { machine } = install;
  const inside = join(machine.rootPath, PACKAGE_DIR);
  mkdirSync(inside, { recursive: true });
  cpSync(install.archiveDir, inside, { recursive: true, force: true });
  cpSync(install.pinnedKeyFile, join(inside, 'control-plane.pem'));
  writeFileSync(join(inside, 'policy.yaml'), install.policyText, { mode: 0o644 });
  await machine.giveTo('root', [PACKAGE_DIR]);
  const args = ['--host', machine.name, '--project', PROJECT_ID];
  args.push(
    '--pinned-key',
    machine.path(`${PACKAGE_DIR}/control-plane.pem`),
    '--policy',
    machine.path(`${PACKAGE_DIR}/policy.yaml`),
    '--json',
  );
  args.push('--env', `PUBSUB_EMULATOR_HOST=${install.pubsubAddress}`);
  args.push('--env', `STORAGE_API_ENDPOINT=${install.storageEndpoint}`);
  const root = machine.path('/');
  if (root !== '/') args.push('--env', `LAMPLIGHTER_ROOT=${root.replace(/\/$/, '')}`);
  const installer = ['bin/node', 'lib/install.mjs'].map((file) => machine.path(`${PACKAGE_DIR}/${file}`));
  const { code, stdout, stderr } = await machine.run([...installer, ...args], { timeoutMs: 60_000 });
  if (code !== 0) {
    const said = `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n');
    throw new LamplighterError('failed', `install agent on ${machine.name}: exit ${code}: ${said}`);
  }
  const document = DsseEnvelope.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
  const statement = Buffer.from(document.payload, 'base64').toString('utf8');
  return { ...HostEnrolment.parse(JSON.parse(statement)), document };
}
