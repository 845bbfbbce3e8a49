// Runs one entry point under the real functions framework as a process of its own, and starts it again when it dies.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { endProcess } from '#local/wait.ts';
import { LamplighterError } from '#shared/errors.ts';

export interface FunctionOptions {
  target: string;
  /** `functions/index.ts`, or the bundle that a build made of it. */
  source: string;
  address: string;
  port: number;
  env: Record<string, string>;
  logFile: string;
}

export interface FunctionProcess {
  url: string;
  pid(): number | undefined;
  close(): Promise<void>;
}

// The package exports its library only; the program that its `bin` names is in the same directory.
const FRAMEWORK = join(
  dirname(createRequire(import.meta.url).resolve('@google-cloud/functions-framework')),
  'main.js',
);
const PRELOADED = join(import.meta.dirname, 'preload.mjs');
/** Keeps the compiled code for the next start: without it a start from the sources costs half as much CPU again. */
const COMPILE_CACHE = join(import.meta.dirname, '../../../node_modules/.cache/lamplighter-functions');
const RESTART_DELAY_MS = 500;
/** A function that can't start ends at once: only a very busy machine needs this long. */
const START_DEADLINE_MS = 120_000;
const STOP_GRACE_MS = 5000;

/** Starts a function and waits until it listens. Throws `unavailable` with the log file's name when it does not. */
export async function startFunction(options: FunctionOptions): Promise<FunctionProcess> {
  const log = createWriteStream(options.logFile, { flags: 'a' });
  let isClosing = false;
  let child = spawnFramework(options, log);
  const restartOnExit = (): void => {
    child.once('exit', (code, signal) => {
      if (isClosing) return;
      log.write(`function ${options.target} ended (code ${code}, signal ${signal}); starting it again\n`);
      setTimeout(() => {
        if (isClosing) return;
        child = spawnFramework(options, log);
        restartOnExit();
      }, RESTART_DELAY_MS).unref();
    });
  };
  const close = async (): Promise<void> => {
    isClosing = true;
    await endProcess(child, {
      ask: () => child.kill('SIGTERM'),
      force: () => child.kill('SIGKILL'),
      graceMs: STOP_GRACE_MS,
    });
    await new Promise<void>((resolve) => log.end(resolve));
  };
  try {
    await awaitListening(child, options);
  } catch (error) {
    await close();
    throw error;
  }
  restartOnExit();
  return { url: `http://${options.address}:${options.port}`, pid: () => child.pid, close };
}

function spawnFramework(options: FunctionOptions, log: WriteStream): ChildProcess {
  const args = ['--disable-warning=ExperimentalWarning', '--import', PRELOADED, FRAMEWORK];
  args.push(`--target=${options.target}`, `--source=${options.source}`, `--port=${options.port}`);
  const child = spawn(process.execPath, args, {
    env: {
      ...options.env,
      LAMPLIGHTER_BIND_ADDRESS: options.address,
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      NODE_ENV: 'production',
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  return child;
}

function awaitListening(child: ChildProcess, options: FunctionOptions): Promise<void> {
  const { target, address, port, logFile } = options;
  return new Promise((resolve, reject) => {
    const fail = (cause: string): void => {
      clearTimeout(timer);
      reject(
        new LamplighterError('unavailable', `start function ${target} on ${address}:${port}: ${cause}`, {
          hint: `See the function's log: ${logFile}`,
        }),
      );
    };
    const timer = setTimeout(
      () => fail(`the process does not listen after ${START_DEADLINE_MS / 1000} s`),
      START_DEADLINE_MS,
    );
    child.once('message', () => {
      clearTimeout(timer);
      resolve();
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) => {
      const how = signal ? `signal ${signal}` : `code ${code}`;
      fail(`the process ended before it listened (${how}); another program may have taken the port`);
    });
  });
}
