import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { HostLink } from './network.ts';

export interface Janitor {
  /** The owner took the link away itself. */
  dismiss(): void;
}

/** Starts the process that takes a host's link away after this one; not of its group, so that a Ctrl-C does not reach it. */
export function startJanitor(link: HostLink): Janitor {
  const file = join(import.meta.dirname, 'janitor.ts');
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', file, JSON.stringify(link)],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    },
  );
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  return { dismiss: () => void child.kill('SIGKILL') };
}
