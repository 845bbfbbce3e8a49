// Starts a program and waits for it: fixed binary, argument array, no shell.
import { type ChildProcess, spawn } from 'node:child_process';

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
}

interface ProgramOptions extends RunOptions {
  /** Default: the caller's account. */
  account?: { uid: number; gid: number };
  /** Ends the program when its time is up; by default it is killed. */
  end?(child: ChildProcess): void;
}

export interface RunResult {
  /** Exit code; 128 + the signal's number is not computed: a killed program has code -1. */
  code: number;
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** What a program gets that is started by us: nothing of our own environment. */
export const BASE_ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
};

/** Runs `file` with `args`. Does not throw when the program fails: `code` says so. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      env: { ...BASE_ENV, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...options.account,
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        if (output[name].length < MAX_OUTPUT_BYTES) output[name] += chunk;
      });
    }
    // A program that ends before it has read its input closes the pipe; its exit code says the rest.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const end = options.end ?? ((running: ChildProcess) => running.kill('SIGKILL'));
    const timer = options.timeoutMs ? setTimeout(() => end(child), options.timeoutMs) : undefined;
    child.once('error', (error) => {
      clearTimeout(timer);
      resolve({ code: -1, ...output, stderr: `${output.stderr}${error.message}` });
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, ...output });
    });
  });
}
