// Finds out what this machine allows and chooses the demo's kind of host by it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureSystemPackages } from './packages.ts';
import { findMissingPrograms, type HostKind } from './programs.ts';

const PROBE_DEADLINE_MS = 10_000;

export interface Capabilities {
  /** True, or why a host with its own systemd can't run here. */
  systemdHost: true | string;
}

/** Why no package could make a host with its own systemd run here, or undefined. */
export function whyNeverHost(): string | undefined {
  if (process.platform !== 'linux') return `systemd needs Linux, and this machine runs ${process.platform}`;
  if (process.getuid?.() !== 0) return 'systemd needs root: run sudo npm start';
  return undefined;
}

function whyNoHost(): string | undefined {
  const never = whyNeverHost();
  if (never !== undefined) return never;
  const missing = findMissingPrograms('systemd');
  if (missing.length > 0)
    return `systemd needs the packages ${missing.map(({ debian }) => debian).join(', ')}`;
  return whyNoNamespaces();
}

function whyNoNamespaces(): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-probe-'));
  try {
    const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--cgroup', '--net', '--fork'];
    const probe = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'probe-host.ts'), dir];
    const { status, stdout, stderr } = spawnSync(
      '/usr/bin/unshare',
      [...namespaces, process.execPath, ...probe],
      { encoding: 'utf8', env: {}, timeout: PROBE_DEADLINE_MS },
    );
    if (status === 0) return undefined;
    return `this machine does not allow new namespaces: ${stdout.trim() || stderr.trim() || 'the attempt did not end'}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Tries what a host with its own systemd needs. */
export function detectCapabilities(): Capabilities {
  return { systemdHost: whyNoHost() ?? true };
}

export interface HostChoice {
  kind: HostKind;
  /** Why it is not a host with its own systemd. */
  why?: string;
}

/**
 * Installs what is missing and allowed, and chooses: a host with its own systemd wherever it can run. Throws
 * `unavailable`, naming all of them, when programs are missing that every host needs.
 */
export function chooseHost(isSupervisedWanted: boolean): HostChoice {
  const never = isSupervisedWanted ? '--supervised was given' : whyNeverHost();
  if (never !== undefined) {
    ensureSystemPackages('supervised');
    return { kind: 'supervised', why: never };
  }
  try {
    ensureSystemPackages('systemd');
  } catch (error) {
    if (findMissingPrograms('supervised').length > 0) throw error;
  }
  const { systemdHost } = detectCapabilities();
  return systemdHost === true ? { kind: 'systemd' } : { kind: 'supervised', why: systemdHost };
}
