// The agent's process gets a signal to end while its Pub/Sub is gone: it must not wait for an answer that never comes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { onLines } from '#shared/lines.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const AGENT = join(import.meta.dirname, '../../../agent/main.ts');
/** An agent of root's refuses a root other than `/`, so the agent runs under another account, as on a host. */
const NOBODY = 65_534;
const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
/** Shorter than one attempt to publish may take (20 s), and than what systemd waits (TimeoutStopSec=15). */
const DEADLINE_MS = 14_000;

let root: string;
let agent: ChildProcess | undefined;
const sockets = new Set<Socket>();
const silent = createServer((socket) => {
  sockets.add(socket);
  socket.on('error', () => undefined);
});

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lamplighter-farewell-'));
  const etc = join(root, 'etc/lamplighter');
  mkdirSync(join(etc, 'pinned-keys'), { recursive: true });
  mkdirSync(join(root, 'var/lib/lamplighter'), { recursive: true });
  // The heartbeat shows it.
  mkdirSync(join(root, 'proc/sys/kernel/random'), { recursive: true });
  writeFileSync(join(root, 'proc/sys/kernel/random/boot_id'), 'c0ffee00-0000-4000-8000-000000000000\n');
  const write = (name: string, text: string) => writeFileSync(join(etc, name), text);
  write('agent.yaml', stringify({ host: 'web-1', projectId: 'project', subscription: 'commands-web-1' }));
  write('policy.yaml', stringify({ version: 1, host: 'web-1', operations: [], units: {} }));
  write('pinned-keys/key.pem', makeKey().publicPem);
  write('agent.key', makeKey().privatePem);
  for (const name of ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })]) {
    const path = join(root, name);
    if (account.uid !== undefined) chownSync(path, account.uid, account.gid);
    if (name === '') chmodSync(path, 0o755);
  }
});
afterEach(async () => {
  agent?.kill('SIGKILL');
  for (const socket of sockets) socket.destroy();
  if (silent.listening) await new Promise((resolve) => silent.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

/** A Pub/Sub that accepts connections and never answers. */
async function listenSilently(): Promise<string> {
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  return `127.0.0.1:${(silent.address() as AddressInfo).port}`;
}

/** Starts the agent and waits until it says that it runs. */
async function startAgent(pubsub: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--no-deprecation', AGENT], {
    ...account,
    env: { PATH: '/usr/bin', HOME: root, LAMPLIGHTER_ROOT: root, PUBSUB_EMULATOR_HOST: pubsub },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  agent = child;
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}`)));
    onLines(child.stdout!, (line) => {
      if (line.includes('agent started')) resolve();
    });
  });
  return child;
}

async function end(child: ChildProcess): Promise<number | null | 'still there'> {
  const gone = once(child, 'exit').then(([code]) => code as number | null);
  return await Promise.race([gone, sleep(DEADLINE_MS, 'still there' as const, { ref: false })]);
}

describe('told to end, it ends within seconds', () => {
  test.each([
    ['that takes connections and never answers', listenSilently],
    ['where nobody listens', () => Promise.resolve('127.0.0.1:9')],
  ])('while it says a heartbeat to a Pub/Sub %s', async (_name, place) => {
    const child = await startAgent(await place());
    child.kill('SIGTERM');
    expect(await end(child)).toBe(0);
  });
});

test('when whoever started it is gone, it ends by itself', async () => {
  const pubsub = await listenSilently();
  const starter = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['--no-deprecation', process.argv[1]], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (text) => { if (String(text).includes('agent started')) console.log(child.pid); });
    setInterval(() => undefined, 1000);`;
  const parent = spawn(process.execPath, ['-e', starter, AGENT], {
    ...account,
    env: { PATH: '/usr/bin', HOME: root, LAMPLIGHTER_ROOT: root, PUBSUB_EMULATOR_HOST: pubsub },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) =>
    onLines(parent.stdout!, (line) => resolve(Number(line))),
  );
  parent.kill('SIGKILL');
  const isThere = (): boolean => {
    try {
      // Its new parent may reap it late.
      if (existsSync(`/proc/${pid}/stat`)) return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  try {
    await expect.poll(isThere).toBe(false);
  } finally {
    if (isThere()) process.kill(pid, 'SIGKILL');
  }
});
