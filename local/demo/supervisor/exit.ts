// How a process of a unit ended, in systemd's words.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { messageOf } from '#shared/errors.ts';

export interface Exit {
  isClean: boolean;
  /** As RestartPreventExitStatus= names it: a signal or an exit code; empty when it never began. */
  status: string;
  /** As systemd logs it. */
  description: string;
}

/** Signals by which a service may end well (systemd.service(5), SuccessExitStatus=). */
const CLEAN_SIGNALS = new Set(['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE']);

/** Waits for a process's end. Never rejects: one that could not be started has ended too. */
export async function awaitExit(child: ChildProcess): Promise<Exit> {
  if (child.pid === undefined) {
    const error: unknown = await once(child, 'error').then(([cause]: unknown[]) => cause);
    return { isClean: false, status: '', description: messageOf(error) };
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const { exitCode: code, signalCode: signal } = child;
  if (signal === null) {
    return { isClean: code === 0, status: String(code), description: `code=exited, status=${code}` };
  }
  const description = `code=killed, status=${signal.slice(3)}`;
  return { isClean: CLEAN_SIGNALS.has(signal), status: signal, description };
}
