// The processes of the host and the memory of each, from /proc (proc(5)).
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { runProgram } from './process.ts';

export interface HostProcess {
  pid: number;
  name: string;
  uid: number;
  residentBytes: number;
  /** Its control group; empty where there is none. */
  cgroup: string;
}

/** The text of a file of /proc; undefined when it, or its process, is gone. */
export function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** A number of a file of lines such as `oom_kill 3` or `MemTotal: 12 kB`; null when it has none of that name. */
export function parseCount(text: string, name: string): number | null {
  const count = new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text)?.[1];
  return count === undefined ? null : Number(count);
}

/** Name, user and memory of /proc/PID/status; undefined for a thread of the kernel's, which has no memory of its own. */
export function parseStatus(text: string): Omit<HostProcess, 'pid' | 'cgroup'> | undefined {
  const name = /^Name:\t(.*)$/m.exec(text)?.[1];
  const [uid, resident] = [parseCount(text, 'Uid'), parseCount(text, 'VmRSS')];
  if (name === undefined || uid === null || resident === null) return undefined;
  return { name, uid, residentBytes: resident * 1024 };
}

/** The unit of a process, by the path of its control group: the first part that is a service or a scope. Slices only group units. */
export function unitOf(cgroup: string): { unit: string; path: string } | undefined {
  const names = cgroup.split('/');
  const at = names.findIndex((name) => /\.(service|scope)$/.test(name));
  const unit = names[at];
  return unit === undefined ? undefined : { unit, path: names.slice(0, at + 1).join('/') };
}

/** The control group that systemd made, from /proc/PID/cgroup: in the one hierarchy, or in systemd's own beside older ones. */
export function parseCgroup(text: string): string {
  const only = /^0::(.*)$/m.exec(text)?.[1] ?? '';
  if (unitOf(only)) return only;
  return /^\d+:name=systemd:(.*)$/m.exec(text)?.[1] ?? only;
}

/** A process's own name with its program's, where they differ: every program of Node's calls itself `MainThread`. */
export function nameWithProgram(name: string, program: string | undefined): string {
  if (program === undefined || program === '' || name === program) return name;
  // The kernel cuts a name after fifteen characters.
  return program.startsWith(name) ? program : `${name} (${program})`;
}

/** The file name of a process's program; undefined when it can't be seen. */
export function readProgram(pid: number): string | undefined {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
  } catch {
    return undefined;
  }
}

/** All processes that have memory of their own. Throws `unavailable` without /proc. */
export function readProcesses(): HostProcess[] {
  if (process.platform !== 'linux')
    throw new LamplighterError('unavailable', 'read processes: this system has no /proc');
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const status = parseStatus(readProc(`/proc/${pid}/status`) ?? '');
    if (!status) return [];
    return [{ ...status, pid: Number(pid), cgroup: parseCgroup(readProc(`/proc/${pid}/cgroup`) ?? '') }];
  });
}

/** Names of accounts by number; those that have none are left out. */
export async function nameAccounts(uids: Iterable<number>): Promise<Map<number, string>> {
  const { stdout } = await runProgram({
    file: '/usr/bin/getent',
    args: ['passwd', ...new Set(Array.from(uids, String))],
    timeoutMs: 10_000,
  });
  const lines = stdout.split('\n').map((line) => line.split(':'));
  return new Map(lines.flatMap(([name, , uid]) => (name && uid ? [[Number(uid), name]] : [])));
}
