// Which files a process of this host has open, by device and inode: whatever name or mount it opened them by.
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { LamplighterError } from '#shared/errors.ts';
import { HAS_ACCOUNTS } from '../config/paths.ts';

/** A file's identity on this machine. */
export function identityOf({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`;
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

/** What a process has open; empty when it has ended. */
function openBy(pid: string): string[] {
  const dir = `/proc/${pid}/fd`;
  try {
    return readdirSync(dir).flatMap((fd) => identityAt(`${dir}/${fd}`));
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ESRCH')) return [];
    // Without accounts there are no files of others', either.
    if (isCode(error, 'EACCES', 'EPERM') && !HAS_ACCOUNTS) return [];
    throw new LamplighterError('refused', `see which files process ${pid} has open: ${String(error)}`, {
      cause: error,
      hint: 'No file is removed while nobody can tell whether it is open.',
    });
  }
}

function identityAt(path: string): string[] {
  try {
    const target = readlinkSync(path);
    // Sockets, pipes and devices are no files that anybody removes.
    if (!target.startsWith('/') || target.startsWith('/dev/') || target.startsWith('/proc/')) return [];
    return [identityOf(statSync(path, { bigint: true }))];
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

/** Process ids of this host. Throws `unavailable` without /proc. */
function readPids(): string[] {
  if (process.platform === 'linux') return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  throw new LamplighterError('unavailable', 'see which files are open: this system has no /proc', {
    hint: 'Remove the files by hand.',
  });
}

/**
 * Identities of the files that processes have open now, by default all processes. Throws `refused` when a process does not let
 * itself be looked at, `unavailable` without /proc.
 */
export function findOpenFiles(pids: readonly string[] = readPids()): Set<string> {
  return new Set(pids.flatMap(openBy));
}
