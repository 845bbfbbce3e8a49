// The programs of this machine that the local stack needs, and which of them are missing.
import { existsSync } from 'node:fs';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { findNginx } from '#local/demo/platform/find-nginx.ts';
import { findPostgres } from '#local/demo/postgres/programs.ts';

export type HostKind = HostMachine['kind'];

export interface SystemProgram {
  /** Name of the program in messages. */
  purpose: string;
  /** Debian and Ubuntu package that has it. */
  debian: string;
  /** True when only a host with its own systemd needs it. */
  isForHost: boolean;
  isThere(): boolean;
}

const anyOf =
  (...paths: string[]): SystemProgram['isThere'] =>
  () =>
    paths.some((path) => existsSync(path));

function isFound(find: () => unknown): boolean {
  try {
    find();
    return true;
  } catch {
    return false;
  }
}

const PROGRAMS: readonly SystemProgram[] = [
  { purpose: 'PostgreSQL', debian: 'postgresql', isForHost: false, isThere: () => isFound(findPostgres) },
  { purpose: 'nginx', debian: 'nginx', isForHost: false, isThere: () => isFound(findNginx) },
  // The product is deployed from a repository.
  { purpose: 'git', debian: 'git', isForHost: false, isThere: anyOf('/usr/bin/git') },
  { purpose: 'systemd', debian: 'systemd', isForHost: true, isThere: anyOf('/lib/systemd/systemd') },
  { purpose: 'D-Bus', debian: 'dbus', isForHost: true, isThere: anyOf('/usr/bin/dbus-daemon') },
  { purpose: 'ip', debian: 'iproute2', isForHost: true, isThere: anyOf('/sbin/ip', '/usr/sbin/ip') },
  { purpose: 'ps', debian: 'procps', isForHost: true, isThere: anyOf('/bin/ps', '/usr/bin/ps') },
  {
    purpose: 'time zones',
    debian: 'tzdata',
    isForHost: true,
    isThere: anyOf('/usr/share/zoneinfo/Europe/London'),
  },
  {
    // The host's database is a cluster in Debian's layout.
    purpose: 'pg_createcluster',
    debian: 'postgresql-common',
    isForHost: true,
    isThere: anyOf('/usr/bin/pg_createcluster'),
  },
];

/** The programs that are missing here for a kind of host, and of `more`. */
export function findMissingPrograms(kind: HostKind, more: readonly SystemProgram[] = []): SystemProgram[] {
  return [...PROGRAMS, ...more].filter(
    (program) => (kind === 'systemd' || !program.isForHost) && !program.isThere(),
  );
}
