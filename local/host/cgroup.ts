// A cgroup of its own for each host, so that two hosts' systemds don't meet in one tree.
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where this process stands in the cgroup2 hierarchy, or undefined when none is mounted writable. */
function ownCgroup(): string | undefined {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const mount = mounts
    .map((line) => line.split(' '))
    .find((fields) => fields[fields.indexOf('-') + 1] === 'cgroup2');
  const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return mount?.[4] && path !== undefined ? join(mount[4], path) : undefined;
}

/** Makes the host's cgroup; empty string when this machine lets us make none (then the host uses ours). */
export function openCgroup(tag: string): string {
  const own = ownCgroup();
  if (own === undefined) return '';
  const dir = join(own, `lamplighter-${tag}`);
  try {
    mkdirSync(dir, { recursive: true });
    return dir;
  } catch {
    return '';
  }
}

/** Removes a host's cgroup and those below it, once their processes are gone. */
export function removeCgroup(dir: string): void {
  if (dir === '') return;
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(dir, entry.name));
    }
    rmdirSync(dir);
  } catch {
    // Gone already, or a process is still ending in it; the next start removes it.
  }
}
