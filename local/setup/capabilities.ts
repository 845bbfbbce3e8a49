// What this machine has and allows: the programs the local stack needs, and whether a host with its own systemd can run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SystemProgram {
  /** What it is for, as a person would say. */
  purpose: string;
  /** Found when one of these exists. */
  paths: readonly string[];
  /** Debian and Ubuntu package that has it. */
  debian: string;
  /** Only for the host with its own systemd. */
  isForHost: boolean;
}

const PROGRAMS: readonly SystemProgram[] = [
  { purpose: 'systemd', paths: ['/lib/systemd/systemd'], debian: 'systemd', isForHost: true },
  { purpose: 'D-Bus', paths: ['/usr/bin/dbus-daemon'], debian: 'dbus', isForHost: true },
  { purpose: 'nginx', paths: ['/usr/sbin/nginx'], debian: 'nginx', isForHost: true },
  { purpose: 'ip', paths: ['/sbin/ip', '/usr/sbin/ip'], debian: 'iproute2', isForHost: true },
  { purpose: 'ps', paths: ['/bin/ps', '/usr/bin/ps'], debian: 'procps', isForHost: true },
  { purpose: 'time zones', paths: ['/usr/share/zoneinfo/Europe/London'], debian: 'tzdata', isForHost: true },
];
const POSTGRES: SystemProgram = { purpose: 'PostgreSQL', paths: [], debian: 'postgresql', isForHost: false };

const PROBE_DEADLINE_MS = 10_000;
const DEBIAN_POSTGRES_DIR = '/usr/lib/postgresql';

/** Directory of the newest PostgreSQL server's programs, or undefined. */
export function findPostgresBinDir(): string | undefined {
  if (!existsSync(DEBIAN_POSTGRES_DIR)) return undefined;
  const versions = readdirSync(DEBIAN_POSTGRES_DIR).toSorted((a, b) => Number(b) - Number(a));
  return versions
    .map((version) => `${DEBIAN_POSTGRES_DIR}/${version}/bin`)
    .find((dir) => existsSync(`${dir}/postgres`));
}

/** The programs that are missing here. */
export function findMissingPrograms(): SystemProgram[] {
  const missing = PROGRAMS.filter(({ paths }) => !paths.some((path) => existsSync(path)));
  return findPostgresBinDir() ? missing : [POSTGRES, ...missing];
}

export interface Capabilities {
  /** True, or why a host with its own systemd can't run here. */
  systemdHost: true | string;
}

function whyNoHost(): string | undefined {
  if (process.platform !== 'linux') return `needs Linux; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = findMissingPrograms();
  if (missing.length > 0) return `needs ${missing.map(({ debian }) => debian).join(', ')}`;
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
    return `namespaces may not be made here: ${stdout.trim() || stderr.trim() || 'the attempt hung'}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Looks at this machine. */
export function detectCapabilities(): Capabilities {
  return { systemdHost: whyNoHost() ?? true };
}
