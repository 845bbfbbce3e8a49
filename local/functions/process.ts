// Runs one entry point under the real functions framework as a process of its own, and starts it again when it dies.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

// The package exports its library only; the program that its `bin` names stands beside it.
const FRAMEWORK = join(
  dirname(createRequire(import.meta.url).resolve('@google-cloud/functions-framework')),
  'main.js',
);
const PRELOADED = ['bind-address.mjs', 'end-with-parent.mjs'].map((name) => join(import.meta.dirname, name));
const RESTART_DELAY_MS = 500;
const START_DEADLINE_MS = 30_000;
const STOP_GRACE_MS = 5000;

/** Starts a function and waits until it accepts connections. Throws `unavailable` with the log file's name when it does not. */
export async function startFunction(options: FunctionOptions): Promise<FunctionProcess> {
  const log = createWriteStream(options.logFile, { flags: 'a' });
  let isClosing = false;
  let child: ChildProcess | undefined;
  const start = (): void => {
    child = spawnFramework(options, log);
    child.once('exit', (code, signal) => {
      if (isClosing) return;
      log.write(`function ${options.target} ended (code ${code}, signal ${signal}); starting it again\n`);
      setTimeout(() => !isClosing && start(), RESTART_DELAY_MS).unref();
    });
  };
  start();
  const close = async (): Promise<void> => {
    isClosing = true;
    if (child) await stopChild(child);
    await new Promise<void>((resolve) => log.end(resolve));
  };
  try {
    await waitForPort(options);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://${options.address}:${options.port}`, pid: () => child?.pid, close };
}

function spawnFramework(options: FunctionOptions, log: WriteStream): ChildProcess {
  const preload = PRELOADED.flatMap((file) => ['--import', file]);
  const args = ['--disable-warning=ExperimentalWarning', ...preload, FRAMEWORK];
  args.push(`--target=${options.target}`, `--source=${options.source}`, `--port=${options.port}`);
  const child = spawn(process.execPath, args, {
    env: { ...options.env, LAMPLIGHTER_BIND_ADDRESS: options.address, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  return child;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await ended;
  clearTimeout(killer);
}

async function waitForPort({ target, address, port, logFile }: FunctionOptions): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (Date.now() < deadline) {
    if (await acceptsConnections(address, port)) return;
    await sleep(50);
  }
  throw new LamplighterError('unavailable', `start function ${target}: no answer on ${address}:${port}`, {
    hint: `Its log is ${logFile}.`,
  });
}

function acceptsConnections(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
