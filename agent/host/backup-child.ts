// Starts the unprivileged child of a backup and joins it to other programs by kernel pipes: no byte of a dump passes
// through the runner.
import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { LamplighterError } from '#shared/errors.ts';
import { StreamResult } from '../backup-stream/protocol.ts';
import { findAccount, UPLOAD_ACCOUNT } from './accounts.ts';
import { type Account, startProgram } from './process.ts';

const NODE = '/opt/lamplighter/bin/node';
const STREAM = '/opt/lamplighter/lib/backup-stream.mjs';

interface Ended {
  code: number | null;
  said: string;
}

export interface BackupChild {
  process: ChildProcess;
  /** What went through. Throws `failed` with the child's last words. */
  result(): Promise<StreamResult>;
}

export interface ChildStreams {
  stdin: 'pipe' | 'ignore' | number;
  /** A stream is another program's pipe. */
  stdout: 'pipe' | 'ignore' | number | Writable;
  /** The local copy, opened by root (store). */
  local?: number;
}

const MAX_SAID = 4000;

/** Waits for a program's end and keeps the last of what it said on stderr. */
export function awaitEnd(child: ChildProcess): Promise<Ended> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MAX_SAID);
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, said: error.message }));
    child.once('close', (code) => resolve({ code, said: said.trim() }));
  });
}

/** Throws `failed` unless a program ended well. */
export async function mustEndWell(name: string, ended: Promise<Ended>): Promise<void> {
  const { code, said } = await ended;
  if (code !== 0)
    throw new LamplighterError(
      'failed',
      `run ${name}: exit ${code ?? 'by a signal'}${said ? `: ${said}` : ''}`,
    );
}

/** Starts the child in a mode, as its own account. */
export async function startBackupChild(
  args: readonly string[],
  streams: ChildStreams,
  signal: AbortSignal,
): Promise<BackupChild> {
  const account: Account = await findAccount(UPLOAD_ACCOUNT);
  const endpoint = process.env.STORAGE_API_ENDPOINT;
  const child = startProgram(
    {
      file: NODE,
      args: ['--no-deprecation', '--disable-warning=ExperimentalWarning', STREAM, ...args],
      account,
      env: { HOME: '/nonexistent', ...(endpoint === undefined ? {} : { STORAGE_API_ENDPOINT: endpoint }) },
    },
    [streams.stdin, streams.stdout, 'pipe', streams.local ?? 'ignore', 'pipe'],
  );
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  const ended = awaitEnd(child).finally(() => signal.removeEventListener('abort', kill));
  let line = '';
  const results = child.stdio[4];
  if (results && 'setEncoding' in results)
    results.setEncoding('utf8').on('data', (text: string) => {
      line += text;
    });
  return {
    process: child,
    result: async () => {
      await mustEndWell('backup-stream', ended);
      return StreamResult.parse(JSON.parse(line));
    },
  };
}
