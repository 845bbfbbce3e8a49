// Starts a process of a unit: in a process group of its own, so that all of the unit can be signalled, and, where the
// kernel offers it, ended together with the supervisor.
import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { onLines } from '#shared/lines.ts';
import type { ServiceSpec } from './unit-file.ts';

export interface UnitWorld {
  /** Where the host's files begin. */
  root: string;
  /** Account of every process; undefined: the supervisor's own. */
  account: { uid: number; gid: number } | undefined;
  /** Environment that every unit begins with. */
  environment: Readonly<Record<string, string>>;
}

export interface UnitProcess {
  argv: readonly string[];
  spec: ServiceSpec;
  /** More environment, such as the id of this start. */
  environment?: Readonly<Record<string, string>>;
  /** Becomes the process's stdin. */
  socket?: Socket | undefined;
  onLine(pid: number, line: string): void;
}

const SETPRIV = '/usr/bin/setpriv';

function readEnvironmentFile(file: string | undefined): Record<string, string> {
  if (file === undefined) return {};
  const path = file.startsWith('-') ? file.slice(1) : file;
  if (path !== file && !existsSync(path)) return {};
  const lines = readFileSync(path, 'utf8').split('\n');
  const pairs = lines.filter((line) => /^[A-Za-z_]\w*=/.test(line));
  return Object.fromEntries(
    pairs.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

function makeRuntimeDir({ root, account }: UnitWorld, name: string | undefined): void {
  if (name === undefined) return;
  const dir = join(root, 'run', name);
  mkdirSync(dir, { recursive: true });
  if (account) chownSync(dir, account.uid, account.gid);
}

/** Starts the process; `error` and `exit` are the caller's to hear. Throws when its EnvironmentFile can't be read. */
export function spawnUnit(
  world: UnitWorld,
  { argv, spec, environment, socket, onLine }: UnitProcess,
): ChildProcess {
  makeRuntimeDir(world, spec.runtimeDir);
  const bound = existsSync(SETPRIV)
    ? [SETPRIV, '--pdeathsig', spec.killSignal.slice(3), '--', ...argv]
    : argv;
  const [file = '', ...args] = bound;
  const child = spawn(file, args, {
    ...world.account,
    cwd: spec.workingDir ?? '/',
    env: {
      ...world.environment,
      ...spec.environment,
      ...readEnvironmentFile(spec.environmentFile),
      ...environment,
    },
    stdio: [socket ?? 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    onLines(stream, (line) => onLine(child.pid ?? 0, line));
  }
  return child;
}

/** Signals all of a unit's processes. It is no error when none is left. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ESRCH';
    if (!isGone) throw error;
  }
}
