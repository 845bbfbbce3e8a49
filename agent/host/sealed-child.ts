// A process of ours that root trusts with untrusted content, and that can reach nothing: an account of its own, and, once
// its code is loaded, no descriptor more than it was given. Without a new descriptor there is no socket and no file.
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createLineSplitter } from '#shared/lines.ts';
import { HAS_ACCOUNTS, PATHS } from '../config/paths.ts';
import { awaitEnd, type Ended, killOnAbort, mustHaveEndedWell } from './joined.ts';
import { type Account, runChecked, startProgram } from './process.ts';

const NODE = `${PATHS.program}/bin/node`;
const PRLIMIT = '/usr/bin/prlimit';
const TIMEOUT_MS = 30_000;
/** A line for each of ten thousand tables is two megabytes. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;

export interface SealedChild {
  process: ChildProcess;
  ended: Promise<Ended>;
  /** Lines that it wrote on its result descriptor after the first. */
  lines(): readonly string[];
}

export interface SealedProgram {
  /** Name of its bundle in the agent's `lib`, without the ending. */
  name: string;
  args: readonly string[];
  account: Account;
  stdio: StdioOptions;
  /** The descriptor on which the child writes one line when it has loaded everything. */
  resultFd: number;
}

/**
 * Starts it and takes away its right to open anything, before it is given its first byte. Throws `failed` when it does not
 * start.
 */
export async function startSealedChild(program: SealedProgram, signal: AbortSignal): Promise<SealedChild> {
  const { name, args, account, stdio, resultFd } = program;
  const flags = ['--no-deprecation', '--disable-warning=ExperimentalWarning'];
  const child = startProgram(
    {
      file: NODE,
      args: [...flags, `${PATHS.program}/lib/${name}.mjs`, ...args],
      account,
      env: { HOME: '/nonexistent' },
    },
    stdio,
  );
  killOnAbort(child, signal);
  const ended = awaitEnd(name, child);
  // The child may have ended before the first write.
  child.stdin?.on('error', () => undefined);
  const lines: string[] = [];
  const ready = new Promise<void>((resolve) => {
    const splitter = createLineSplitter((line) => {
      lines.push(line);
      resolve();
    }, MAX_LINE_BYTES);
    child.stdio[resultFd]?.on('data', (chunk: Buffer) => splitter.push(chunk));
  });
  const early = await Promise.race([ready, ended]);
  if (early) mustHaveEndedWell([{ ...early, code: early.code === 0 ? 1 : early.code }]);
  await seal(child, account);
  return { process: child, ended, lines: () => lines.slice(1) };
}

/**
 * By its own account: for a process of the same account the kernel asks for no capability. A hard limit can't be raised
 * again.
 */
async function seal(child: ChildProcess, account: Account): Promise<void> {
  // Without accounts there is one user, on a developer's machine, which owns all of this anyway.
  if (!HAS_ACCOUNTS && !existsSync(PRLIMIT)) return;
  try {
    await runChecked({
      file: PRLIMIT,
      args: ['--pid', String(child.pid), '--nofile=0:0'],
      account,
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}
