// Google's own Pub/Sub emulator, where this machine has it: a Java program that comes with the Google Cloud SDK.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '#local/ports.ts';
import { LamplighterError } from '#shared/errors.ts';

export interface GoogleEmulator {
  java: string;
  jar: string;
}

const START_DEADLINE_MS = 30_000;

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find(existsSync);
}

/** Finds the emulator; undefined when the SDK, the emulator or Java is missing. */
export function findGoogleEmulator(): GoogleEmulator | undefined {
  const gcloud = onPath('gcloud');
  const java = onPath('java');
  if (!gcloud || !java) return undefined;
  const { stdout } = spawnSync(gcloud, ['info', '--format=value(installation.sdk_root)'], {
    encoding: 'utf8',
  });
  const lib = join(stdout.trim(), 'platform/pubsub-emulator/lib');
  const jar = existsSync(lib)
    ? readdirSync(lib).find((file) => /^cloud-pubsub-emulator.*\.jar$/.test(file))
    : undefined;
  return jar === undefined ? undefined : { java, jar: join(lib, jar) };
}

/** Starts the emulator. Throws `unavailable` when it is not here or does not come up. */
export async function startGoogleEmulator(options: {
  host: string;
  port?: number;
}): Promise<{ address: string; close(): Promise<void> }> {
  const emulator = findGoogleEmulator();
  if (!emulator)
    throw new LamplighterError('unavailable', "start Google's Pub/Sub emulator: it is not on this machine");
  const port = options.port ?? (await findFreePort(options.host));
  const dataDir = mkdtempSync(join(tmpdir(), 'pubsub-emulator-'));
  const args = ['-jar', emulator.jar, `--host=${options.host}`, `--port=${port}`, `--data-dir=${dataDir}`];
  const child = spawn(emulator.java, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!(await accepts(options.host, port))) {
    if (Date.now() > deadline || child.exitCode !== null) {
      await close();
      throw new LamplighterError('unavailable', `start Google's Pub/Sub emulator: no answer on port ${port}`);
    }
    await sleep(100);
  }
  return { address: `${options.host}:${port}`, close };
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
