// Installs the system packages that the local stack needs. Where that is not allowed, the error says how to install them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { findMissingPrograms, type HostKind, type SystemProgram } from './programs.ts';

const APT_GET = '/usr/bin/apt-get';
const SUDO = '/usr/bin/sudo';
const ENV = '/usr/bin/env';
/** Asked by Debian's package scripts before they start a service: 101 means no (policy-rc.d interface). */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY_MARK = '# Put here by Lamplighter while it installs packages; safe to remove.';
const POLICY_NO = `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`;

/** Words that go before a command so that it runs as root; undefined when this user can't become root without a password. */
function rootPrefix(): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  if (!existsSync(SUDO)) return undefined;
  return spawnSync(SUDO, ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? [SUDO, '-n'] : undefined;
}

/** The message for a machine on which we are not allowed to install anything. */
export function explainMissing(missing: readonly SystemProgram[]): string {
  const names = missing.map(({ purpose }) => purpose).join(', ');
  const debian = missing.map(({ debian: name }) => name).join(' ');
  return [
    `install ${names}: the local stack needs them, and installing takes apt and root (or sudo without a password). Install by hand:`,
    `  Debian, Ubuntu:  sudo apt-get install ${debian}`,
    '  Fedora:          sudo dnf install postgresql-server nginx git   (the host then runs without systemd)',
    '  macOS:           brew install postgresql@17 nginx git           (the host then runs without systemd)',
  ].join('\n');
}

/**
 * Installs what is missing of the programs that a kind of host needs, and of `more`. Throws `unavailable`, with one message
 * that names all of them, where nothing may be installed.
 */
export function ensureSystemPackages(kind: HostKind, more: readonly SystemProgram[] = []): void {
  const missing = findMissingPrograms(kind, more);
  if (missing.length === 0) return;
  const prefix = existsSync(APT_GET) ? rootPrefix() : undefined;
  if (!prefix) throw new LamplighterError('unavailable', explainMissing(missing));
  const names = missing.map(({ debian }) => debian);
  console.error(`Installing Debian packages (once): ${names.join(' ')} …`);
  withoutStartingServices(prefix, () => installPackages(prefix, names));
  const still = findMissingPrograms(kind, more);
  if (still.length > 0) throw new LamplighterError('unavailable', explainMissing(still));
}

/** The packages' services belong on the demo's host: the installation must not start them on this machine. */
function withoutStartingServices(prefix: readonly string[], install: () => void): void {
  // A killed run may have left our file behind; a file that is not ours stays.
  if (existsSync(POLICY_FILE) && !readFileSync(POLICY_FILE, 'utf8').includes(POLICY_MARK)) return install();
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-policy-'));
  try {
    writeFileSync(join(dir, 'policy-rc.d'), POLICY_NO);
    runAsRoot(prefix, ['/usr/bin/install', '-m', '0755', join(dir, 'policy-rc.d'), POLICY_FILE]);
    install();
  } finally {
    rmSync(dir, { recursive: true, force: true });
    runAsRoot(prefix, ['/bin/rm', '-f', POLICY_FILE]);
  }
}

function runAsRoot(prefix: readonly string[], argv: readonly string[]): void {
  const [file = '', ...args] = [...prefix, ...argv];
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0)
    throw new LamplighterError('failed', `run ${argv[0]}: ended with ${status}: ${stderr.trim()}`);
}

function installPackages(prefix: readonly string[], names: readonly string[]): void {
  const environment = [ENV, 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8'];
  const install = ['install', '-y', '-q', '--no-install-recommends', ...names];
  for (const args of [['update', '-q'], install]) {
    const argv = [...prefix, ...environment, APT_GET, ...args];
    const { status, stdout, stderr } = spawnSync(argv[0] ?? '', argv.slice(1), {
      encoding: 'utf8',
      maxBuffer: 64e6,
    });
    if (status !== 0) {
      const said = `${stdout}${stderr}`.trim().split('\n').slice(-8).join('\n');
      throw new LamplighterError(
        'failed',
        `install ${names.join(' ')}: apt-get ${args[0]} ended with ${status}:\n${said}`,
      );
    }
  }
}
