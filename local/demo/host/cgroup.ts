// A cgroup for each host, so that the systemds of two hosts do not share one tree.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lookUntil } from '#local/wait.ts';
import { LamplighterError } from '#shared/errors.ts';

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

const END_DEADLINE_MS = 10_000;

/** Ends what still runs in a host's cgroup and waits for it: two systems on one disk would spoil its databases. */
export async function emptyCgroup(dir: string): Promise<void> {
  const events = join(dir, 'cgroup.events');
  const kill = join(dir, 'cgroup.kill');
  if (dir === '' || !existsSync(events)) return;
  if (existsSync(kill)) writeFileSync(kill, '1');
  const isEmpty = (): true | undefined =>
    /^populated 1$/m.test(readFileSync(events, 'utf8')) ? undefined : true;
  if (!(await lookUntil(isEmpty, { withinMs: END_DEADLINE_MS, everyMs: 50 })))
    throw new LamplighterError('busy', `clean up ${dir}: processes of an earlier host still run`, {
      retryable: true,
      hint: 'Wait until they have ended, or end them by hand.',
    });
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
