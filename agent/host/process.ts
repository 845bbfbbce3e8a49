// The one way a program is started on the host: absolute path, argument array, bounded environment, bounded output.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { LamplighterError } from '#shared/errors.ts';
import { redact } from './redact.ts';

export interface Account {
  uid: number;
  gid: number;
}

export interface ProgramOptions {
  /** Absolute path. */
  file: string;
  args: readonly string[];
  /** Account to run as; default the caller's own. */
  account?: Account;
  env?: Readonly<Record<string, string>>;
  /** Where it starts; default `/`. */
  directory?: string;
  /** In a process group of its own, so that what it started can be ended with it. */
  hasOwnGroup?: boolean;
  input?: string | Uint8Array;
  timeoutMs: number;
  /** Of each of stdout and stderr; what comes after is dropped. Default 1 MiB. */
  maxOutputBytes?: number;
  /** Ends the program early. */
  signal?: AbortSignal;
}

export interface ProgramResult {
  code: number | null;
  stdout: string;
  stderr: string;
  isTimedOut: boolean;
}

const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;
const BASE_ENV = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  SYSTEMD_PAGER: '',
  SYSTEMD_COLORS: '0',
};

/** Starts a program without waiting; the caller owns it. Throws `invalid-input` unless the path is absolute. */
export function startProgram(
  options: Pick<ProgramOptions, 'file' | 'args' | 'account' | 'env' | 'directory' | 'hasOwnGroup'>,
  stdio: StdioOptions,
): ChildProcess {
  if (!options.file.startsWith('/')) {
    throw new LamplighterError('invalid-input', `start program ${options.file}: not an absolute path`);
  }
  return spawn(options.file, options.args, {
    cwd: options.directory ?? '/',
    env: { ...BASE_ENV, ...options.env },
    stdio,
    detached: options.hasOwnGroup === true,
    ...options.account,
  });
}

/**
 * Runs a program to its end. A program that fails is not an error here: the caller reads `code`. Throws `failed` when it
 * can't be started, `timed-out` when its signal was there before.
 */
export function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  const maxBytes = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  if (options.signal?.aborted)
    return Promise.reject(
      new LamplighterError('timed-out', `start program ${options.file}: the command was stopped before`),
    );
  return new Promise((resolve, reject) => {
    const child = startProgram(options, ['pipe', 'pipe', 'pipe']);
    const output = { stdout: collect(child.stdout, maxBytes), stderr: collect(child.stderr, maxBytes) };
    let isTimedOut = false;
    const stop = (): void => {
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => {
      isTimedOut = true;
      stop();
    }, options.timeoutMs);
    options.signal?.addEventListener('abort', stop, { once: true });
    const release = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', stop);
    };
    child.once('error', (cause) => {
      release();
      reject(new LamplighterError('failed', `start program ${options.file}: ${cause.message}`, { cause }));
    });
    child.once('close', (code) => {
      release();
      resolve({ code, stdout: output.stdout(), stderr: output.stderr(), isTimedOut });
    });
    // A program that ends before it has read its input closes the pipe; its exit code says how it ended.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

function collect(stream: NodeJS.ReadableStream | null, maxBytes: number): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (bytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - bytes));
    bytes += chunk.length;
  });
  return () => {
    const text = Buffer.concat(chunks).toString('utf8');
    // Cut at the end of a line: a secret that is cut in half would not be recognised any more.
    return bytes > maxBytes && text.includes('\n') ? text.slice(0, text.lastIndexOf('\n') + 1) : text;
  };
}

/** Runs a program that must succeed; throws `failed` with the last words of its stderr, `timed-out` when it took too long. */
export async function runChecked(options: ProgramOptions): Promise<string> {
  const result = await runProgram(options);
  const name = options.file.split('/').at(-1) ?? options.file;
  if (result.isTimedOut)
    throw new LamplighterError('timed-out', `run ${name}: not done within ${options.timeoutMs} ms`);
  if (options.signal?.aborted)
    throw new LamplighterError('timed-out', `run ${name}: the command was stopped`);
  if (result.code === 0) return result.stdout;
  // Redacted before it is cut: a secret that is cut in half would not be recognised any more.
  const said = redact(result.stderr).trim().split('\n').slice(-5).join('\n').slice(-1000);
  throw new LamplighterError(
    'failed',
    `run ${name}: ${result.code === null ? 'ended by a signal' : `exit ${result.code}`}${said ? `: ${said}` : ''}`,
  );
}
