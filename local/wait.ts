// Waiting for what other programs do: looked for again and again, or their end.
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LookTerms {
  withinMs: number;
  everyMs: number;
}

/** The first value that `look` gives; undefined when it gave none in time. */
export async function lookUntil<T>(
  look: () => Promise<T | undefined> | T | undefined,
  { withinMs, everyMs }: LookTerms,
): Promise<T | undefined> {
  for (const deadline = Date.now() + withinMs; ; ) {
    const found = await look();
    if (found !== undefined || Date.now() > deadline) return found;
    await sleep(everyMs);
  }
}

/** True when a process has ended, or never began. */
export function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

/** Asks a process to end, forces it when it has not ended within `graceMs`, and resolves when it is gone. */
export async function endProcess(
  child: ChildProcess,
  { ask, force, graceMs }: { ask(): void; force(): void; graceMs: number },
): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  ask();
  const timer = setTimeout(force, graceMs);
  await ended;
  clearTimeout(timer);
}
