// What the installer writes: programs, settings, keys, units. Everything under /etc/lamplighter is root's.
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { keyIdOf, parsePublicKey } from '#shared/signing/dsse.ts';
import { commandsTopic } from '#shared/topology.ts';
import { PATHS } from '../config/paths.ts';
import { ownAccount } from '../host/accounts.ts';
import { requireTrustedPath } from '../host/trusted-path.ts';
import { loadPolicy } from '../policy/load.ts';
import type { CheckedFile } from '../release/manifest.ts';
import type { PrivateKeys } from './enrolment.ts';
import { UNITS, withGoogleCredentials } from './units.ts';

/** Makes directories with exactly this mode, whatever the umask. */
function makeDirectory(path: string, mode: number, gid = ownAccount().gid): void {
  mkdirSync(path, { recursive: true, mode });
  chmodSync(path, mode);
  chownSync(path, ownAccount().uid, gid);
}

/** Throws `refused` when another account could replace what root installs, or lead root elsewhere. */
export function requireOwnPlaces(): void {
  const places = [
    PATHS.program,
    dirname(PATHS.config),
    dirname(PATHS.runs),
    PATHS.units,
    dirname(PATHS.socket),
  ];
  for (const place of places) requireTrustedPath(place);
}

/** Puts the programs in place by one rename, so that a half-copied version never starts. */
export function installPrograms(files: readonly CheckedFile[]): void {
  const fresh = `${PATHS.program}/.new`;
  rmSync(fresh, { recursive: true, force: true });
  for (const part of PROGRAM_PARTS) mkdirSync(join(fresh, part), { recursive: true, mode: 0o755 });
  chmodSync(PATHS.program, 0o755);
  for (const { path, bytes } of files) {
    const mode = path.startsWith('bin/') ? 0o755 : 0o644;
    if (path === 'VERSION') writeDurably(join(PATHS.program, path), bytes, mode);
    else if (path.includes('/')) writeDurably(join(fresh, path), bytes, mode);
  }
  for (const part of PROGRAM_PARTS) {
    const old = join(PATHS.program, `.old-${part}`);
    rmSync(old, { recursive: true, force: true });
    if (existsSync(join(PATHS.program, part))) renameSync(join(PATHS.program, part), old);
    renameSync(join(fresh, part), join(PATHS.program, part));
    rmSync(old, { recursive: true, force: true });
  }
  rmSync(fresh, { recursive: true, force: true });
}

const PROGRAM_PARTS = ['bin', 'lib'];

/** The keys that sign releases for this host: those given now, else those pinned before. */
export function readReleaseKeys(given: string | undefined): KeyObject[] {
  const file = given ?? PATHS.releaseKey;
  return given !== undefined || existsSync(file) ? [parsePublicKey(readFileSync(file, 'utf8'))] : [];
}

/** Pins the key that must have signed what is installed from now on. */
export function pinReleaseKey(file: string): void {
  writeDurably(PATHS.releaseKey, readFileSync(file, 'utf8'), 0o644);
}

/** Directories of agent and runner. */
export function makeDirectories(agentGid: number): void {
  makeDirectory(dirname(PATHS.config), 0o755);
  makeDirectory(PATHS.pinnedKeys, 0o755);
  makeDirectory(dirname(PATHS.runs), 0o755);
  // The agent reads the runs' folders to follow them; only root writes there.
  makeDirectory(PATHS.runs, 0o2750, agentGid);
  // And lists what restores have put aside.
  makeDirectory(PATHS.kept, 0o2750, agentGid);
  // Accounts of deployments get through to their mirrors.
  makeDirectory(PATHS.deployments, 0o755);
}

export interface Settings {
  host: string;
  projectId: string;
  environment: readonly string[];
}

/** Writes agent.yaml and, when there is any, agent.env. */
export function writeSettings({ host, projectId, environment }: Settings): void {
  writeDurably(PATHS.config, stringify({ host, projectId, subscription: commandsTopic(host) }), 0o644);
  if (environment.length > 0) writeDurably(PATHS.environment, `${environment.join('\n')}\n`, 0o644);
  else rmSync(PATHS.environment, { force: true });
}

/** Pins the control plane's public keys, instead of those pinned before. Throws when one is no Ed25519 key. */
export function pinKeys(files: readonly string[]): void {
  const keys = files.map((file) => readFileSync(file, 'utf8'));
  const names = keys.map((pem) => `${keyIdOf(parsePublicKey(pem))}.pem`);
  rmSync(PATHS.pinnedKeys, { recursive: true, force: true });
  makeDirectory(PATHS.pinnedKeys, 0o755);
  for (const [i, name] of names.entries()) writeDurably(join(PATHS.pinnedKeys, name), keys[i] ?? '', 0o644);
}

/** Installs the policy after checking it; without `file`, the one in place must hold. */
export function installPolicy(file: string | undefined, host: string): void {
  loadPolicy(file ?? PATHS.policy, host);
  if (file !== undefined && file !== PATHS.policy)
    writeDurably(PATHS.policy, readFileSync(file, 'utf8'), 0o644);
}

const GoogleCredentials = z.looseObject({ type: z.enum(['service_account', 'external_account']) });

/** Installs Google credentials: root's, and readable by the account that carries backups over the network, which needs them. */
export function installGoogleCredentials(file: string, uploadGid: number): void {
  const text = readFileSync(file, 'utf8');
  let isRight = false;
  try {
    isRight = GoogleCredentials.safeParse(JSON.parse(text)).success;
  } catch {
    // Not JSON. The error must not show the content, which may be a key.
  }
  if (!isRight) {
    throw new LamplighterError(
      'invalid-input',
      `read Google credentials ${file}: it is not a credentials file of Google`,
      {
        hint: "Give the JSON of a service account's key, or of workload identity federation (external_account).",
      },
    );
  }
  writeDurably(PATHS.googleCredentials, text, 0o600);
  chownSync(PATHS.googleCredentials, ownAccount().uid, uploadGid);
  chmodSync(PATHS.googleCredentials, 0o640);
}

function ensureKey(file: string): string {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeDurably(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  }
  chmodSync(file, 0o600);
  return readFileSync(file, 'utf8');
}

/** Makes the host's own keys where missing, and gives the private halves (PEM), which never leave the host. */
export function ensureKeys(): PrivateKeys {
  const [agent, runner] = [ensureKey(PATHS.agentKey), ensureKey(PATHS.runnerKey)];
  const runnerPublic = createPublicKey(runner).export({ type: 'spki', format: 'pem' }).toString();
  writeDurably(PATHS.runnerPublicKey, runnerPublic, 0o644);
  return { agent, runner };
}

/** Writes the unit files. */
export function writeUnits(): void {
  const hasCredentials = existsSync(PATHS.googleCredentials);
  for (const [name, text] of Object.entries(UNITS)) {
    const isAgent = name === 'lamplighter-agent.service';
    const unit = isAgent && hasCredentials ? withGoogleCredentials(text) : text;
    writeDurably(join(PATHS.units, name), unit, 0o644);
  }
}

/** Removes everything but the record of what was done (/var/lib/lamplighter) and root's policy. */
export function removeFiles(): void {
  for (const name of Object.keys(UNITS)) rmSync(join(PATHS.units, name), { force: true });
  for (const path of [
    PATHS.program,
    PATHS.config,
    PATHS.environment,
    PATHS.pinnedKeys,
    PATHS.agentKey,
    PATHS.runnerKey,
    PATHS.runnerPublicKey,
  ]) {
    removeTree(path);
  }
  removeTree(dirname(PATHS.socket));
}

/** A directory that is a mount point is only emptied: it can't be removed while it is mounted. */
function removeTree(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return rmSync(path, { force: true });
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
  try {
    rmdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
  }
}
