// Takes a host's link away after the host's owner, however that ended: the kernel ends the processes, and with them namespaces
// and mounts, but keeps a bridge. It is a process of its own; its stdin is a pipe from the owner, its argument the link.
import { spawn } from 'node:child_process';
import { closeLink, HostLink } from './network.ts';

export interface Janitor {
  /** Ends the janitor: the owner has removed the link itself. */
  dismiss(): void;
}

/** Starts the process that takes a host's link away after this one; not of its group, so that a Ctrl-C does not reach it. */
export function startJanitor(link: HostLink): Janitor {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', import.meta.filename, JSON.stringify(link)],
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

if (import.meta.main) {
  const link = HostLink.parse(JSON.parse(process.argv[2] ?? ''));
  process.stdin.resume().on('end', () => void closeLink(link));
}
