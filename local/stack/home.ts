// Where the local stack keeps its state. A lock file allows one stack for each directory; the next start removes the lock
// that a crash left behind.
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { reapLeftovers } from '#local/demo/host/leftovers.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';

export interface StackHome {
  dir: string;
  postgres: string;
  /** The supervised host's files, where there is one. */
  platform: string;
  pubsub: string;
  gcs: string;
  host: string;
  mail: string;
  logs: string;
  keys: string;
  /** Address and token for `lamp`. */
  lampConfig: string;
}

const DIRECTORY_MODE = 0o700;
const HOME_MODE = 0o711;
const OTHERS_ENTER = 0o001;

function isReachable(dir: string): boolean {
  const parent = dirname(dir);
  return parent === dir || ((statSync(parent).mode & OTHERS_ENTER) !== 0 && isReachable(parent));
}

/** A directory that another account can reach: in the home, or in /var/lib when the home is below a closed directory such as /root. */
function openPart(homeDir: string, part: string, prefix: string): string {
  const dir = resolve(homeDir);
  if (process.getuid?.() !== 0 || isReachable(dir)) return join(dir, part);
  const tag = createHash('sha256').update(dir).digest('hex').slice(0, 12);
  return join('/var/lib', `${prefix}-${tag}`);
}

/** Directory of the control plane's database. When root starts the stack, the database runs under an account of its own. */
export function databaseDir(homeDir: string): string {
  return openPart(homeDir, 'postgres', 'lamplighter-stack');
}

/** Directory of a supervised host. When root starts the stack, the host runs under an account of its own. */
export function platformDir(homeDir: string): string {
  return openPart(homeDir, 'platform', 'lamplighter-platform');
}

/** Makes the home's directories; only their owner may read them, since they hold keys and tokens. */
export function openHome(dir: string): StackHome {
  const home: StackHome = {
    dir,
    postgres: databaseDir(dir),
    platform: platformDir(dir),
    pubsub: join(dir, 'pubsub'),
    gcs: join(dir, 'gcs'),
    host: join(dir, 'host'),
    mail: join(dir, 'mail'),
    logs: join(dir, 'logs'),
    keys: join(dir, 'keys'),
    lampConfig: join(dir, 'lamp.json'),
  };
  mkdirSync(dir, { recursive: true });
  // Other accounts may enter but not list it: PostgreSQL runs under an account of its own and must reach its directory.
  chmodSync(dir, HOME_MODE);
  for (const part of [home.pubsub, home.gcs, home.host, home.mail, home.logs, home.keys]) {
    mkdirSync(part, { recursive: true, mode: DIRECTORY_MODE });
  }
  return home;
}

const Lock = z.object({ pid: z.int(), startTicks: z.string(), url: z.string().nullable() });
type Lock = z.infer<typeof Lock>;

/** The lock of a running stack. */
export interface StackLock {
  /** Records the stack's address, which a second start names in its error. */
  announce(url: string): void;
  release(): void;
}

/** Makes the home when it is missing. Throws `not-allowed` when another user owns it, for example root after a start with sudo. */
function mustBeOurs(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    accessSync(dir, constants.W_OK);
  } catch (cause) {
    throw new LamplighterError('not-allowed', `use state directory ${resolve(dir)}: ${messageOf(cause)}`, {
      hint: 'Start as the user who owns the directory (sudo npm start if root made it), or name another with --home DIR.',
      cause,
    });
  }
}

/** Takes the home's lock. Throws `not-allowed` when another user owns the home, `conflict` naming the running stack's process and address when there is one. */
export function lockHome(dir: string): StackLock {
  const file = join(dir, 'stack.lock');
  mustBeOurs(dir);
  const mine: Lock = { pid: process.pid, startTicks: startTicksOf(process.pid) ?? '', url: null };
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, JSON.stringify(mine), { flag: 'wx', mode: 0o644 });
      break;
    } catch (error) {
      const holder = readLock(file);
      if (holder && startTicksOf(holder.pid) === holder.startTicks) throw alreadyRunning(dir, holder);
      if (attempt > 0) throw error;
      rmSync(file, { force: true });
    }
  }
  return {
    announce: (url) => writeFileSync(file, JSON.stringify({ ...mine, url })),
    release: () => rmSync(file, { force: true }),
  };
}

function alreadyRunning(dir: string, holder: Lock): LamplighterError {
  const where = holder.url ? ` at ${holder.url}` : ' and has not finished starting';
  return new LamplighterError(
    'conflict',
    `start stack ${dir}: it already runs${where} (process ${holder.pid})`,
    {
      hint: 'Use the running stack, stop it with Ctrl-C in its terminal, or start a second one with --home DIR.',
    },
  );
}

function readLock(file: string): Lock | undefined {
  try {
    return Lock.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** The kernel may have given the process id to another process since; the start time (proc(5), field 22) distinguishes them. */
function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return isAliveWithoutProc(pid) ? '' : undefined;
  }
}

function isAliveWithoutProc(pid: number): boolean {
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Deletes the state of earlier runs. Throws `refused` for a directory without a `stack.lock`. */
export async function removeHome(dir: string): Promise<void> {
  const home = resolve(dir);
  if (!existsSync(home)) return;
  if (!existsSync(join(home, 'stack.lock'))) {
    throw new LamplighterError(
      'refused',
      `remove state directory ${home}: the directory holds no stack.lock, so it may hold something else`,
    );
  }
  await reapLeftovers(join(home, 'host'));
  for (const dir of [databaseDir(home), platformDir(home)]) await rm(dir, { recursive: true, force: true });
  for (const entry of readdirSync(home)) {
    if (entry !== 'stack.lock') await rm(join(home, entry), { recursive: true, force: true });
  }
}
