// A real systemd host on this machine, in namespaces of its own: mount, PID, UTS, IPC, cgroup and network. Its root is an
// overlay of this machine's; what must outlive a reboot lies on its disk, a directory. Needs root on Linux.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { endProcess, hasEnded, lookUntil } from '#local/wait.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { BootPlan } from './boot-plan.ts';
import { openCgroup, removeCgroup } from './cgroup.ts';
import type { HostMachine, SystemdMachine } from './host-machine.ts';
import { startJanitor } from './janitor.ts';
import { reapLeftovers } from './leftovers.ts';
import { closeLink, connectHost, type HostLink, openLink, setCable } from './network.ts';
import { BASE_ENV, runProgram } from './run-program.ts';

export interface HostOptions {
  stateDir: string;
  name: string;
  /** IANA name of the host's time zone. */
  timezone: string;
  /** More directories of this machine that the host must see empty, beside people's homes and `stateDir`. */
  hiddenPaths?: readonly string[];
  /** Root directory of another system that the host runs instead of this machine's. */
  systemDir?: string;
  log(text: string): void;
}

interface Boot {
  launcher: ChildProcess;
  pid: number;
}

const NSENTER = '/usr/bin/nsenter';
const SETPRIV = '/usr/bin/setpriv';
const BOOT_DEADLINE_MS = 60_000;
const POWER_OFF_DEADLINE_MS = 20_000;
/** systemd(1): SIGRTMIN+4 starts poweroff.target; SIGRTMIN is 34 with glibc. */
const SIGNAL_POWER_OFF = 34 + 4;

/** Boots a host; its systemd has reached its default target when this returns. Throws `failed` with what went wrong. */
export async function bootHost(given: HostOptions): Promise<SystemdMachine> {
  const options = { ...given, stateDir: resolve(given.stateDir) };
  mkdirSync(join(options.stateDir, 'disk'), { recursive: true, mode: 0o755 });
  await reapLeftovers(options.stateDir);
  const link = await openLink(options.stateDir);
  const janitor = startJanitor(link);
  try {
    let boot = await bootOnce(options, link);
    const run = runnerOn(() => boot.pid);
    return {
      kind: 'systemd',
      name: options.name,
      path: (path) => path,
      port: (port) => port,
      address: link.address,
      gatewayAddress: link.gatewayAddress,
      get rootPath() {
        return `/proc/${boot.pid}/root`;
      },
      get pid() {
        return boot.pid;
      },
      run,
      giveTo: async (account, paths) => {
        const { code, stderr } = await run(['/bin/chown', '-R', `${account}:${account}`, ...paths]);
        if (code !== 0)
          throw new LamplighterError('failed', `give ${paths.join(', ')} to ${account}: ${stderr.trim()}`);
      },
      spawn: (argv, { user } = {}) =>
        spawn(NSENTER, enterArguments(boot.pid, argv, user), {
          stdio: ['pipe', 'pipe', 'pipe'],
          env: BASE_ENV,
        }),
      reboot: async () => {
        // Without power nothing is said on the wire: peers learn of it by silence.
        await setCable(link, false);
        await stopBoot(boot, 'SIGKILL');
        boot = await bootOnce(options, link);
      },
      cutNetwork: () => setCable(link, false),
      restoreNetwork: () => setCable(link, true),
      powerOff: async () => {
        await stopBoot(boot, SIGNAL_POWER_OFF);
        await closeLink(link);
        janitor.dismiss();
        removeCgroup(openCgroup(link.bridge));
        rmSync(join(options.stateDir, 'boot'), { recursive: true, force: true });
      },
    };
  } catch (error) {
    janitor.dismiss();
    await reapLeftovers(options.stateDir);
    throw error;
  }
}

/** What runs programs on the host whose first process is `pidOf()`. */
export function runnerOn(pidOf: () => number): HostMachine['run'] {
  return (argv, options = {}) =>
    runProgram(NSENTER, enterArguments(pidOf(), argv, options.user), { ...options, end: endEntered });
}

/** Arguments of nsenter(1) that run `argv` on the host, as `user` when one is named. */
export function enterArguments(pid: number, argv: readonly string[], user?: string): string[] {
  const enter = ['-t', String(pid), '-m', '-u', '-i', '-n', '-p', '-r', '-w/', '--'];
  const drop = user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, '--init-groups'];
  // nsenter forks: without this, killing it leaves the program running on the host with our pipes open.
  return [...enter, SETPRIV, '--pdeathsig=KILL', ...drop, '--', ...argv];
}

async function bootOnce(options: HostOptions, link: HostLink): Promise<Boot> {
  const bootDir = join(options.stateDir, 'boot');
  rmSync(bootDir, { recursive: true, force: true });
  mkdirSync(bootDir, { recursive: true });
  const plan: BootPlan = {
    name: options.name,
    timezone: options.timezone,
    systemDir: options.systemDir ?? '/',
    bootDir,
    diskDir: join(options.stateDir, 'disk'),
    hiddenPaths: ['/root', '/home', ...(options.hiddenPaths ?? []), options.stateDir],
  };
  const launcher = launch(plan, openCgroup(link.bridge));
  try {
    await awaitMounted(launcher);
    const pid = firstProcessOf(launcher);
    await connectHost(link, pid);
    launcher.stdin?.end('go\n');
    await awaitTarget(launcher, pid);
    options.log(`${options.name} runs as ${link.address}`);
    return { launcher, pid };
  } catch (error) {
    launcher.kill('SIGKILL');
    throw error;
  }
}

function launch(plan: BootPlan, cgroupDir: string): ChildProcess {
  const files = [
    join(import.meta.dirname, 'launch.ts'),
    cgroupDir,
    process.execPath,
    join(import.meta.dirname, 'boot.ts'),
  ];
  // The host must not outlive us, however we end: the kernel kills the launcher with us, and unshare its child.
  const args = [
    '--pdeathsig=KILL',
    '--',
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    ...files,
    JSON.stringify(plan),
  ];
  return spawn(SETPRIV, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
}

function awaitMounted(launcher: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    launcher.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    launcher.stdout?.once('data', () => resolve());
    launcher.once('exit', (code) => {
      reject(
        new LamplighterError('failed', `boot host: ended with code ${code}: ${said.trim().slice(-2000)}`),
      );
    });
  });
}

/** unshare(1) forks once into the new PID namespace: that child is the host's PID 1. */
function firstProcessOf(launcher: ChildProcess): number {
  const [pid] = childrenOf(launcher.pid);
  if (pid === undefined) throw new LamplighterError('failed', 'boot host: its first process is gone');
  return pid;
}

/**
 * Ends a program on the host together with the nsenter(1) that started it. The program goes first: left without its
 * parent it would stay a zombie until the outer init reaps it, and the host can't power off while it has one.
 */
function endEntered(nsenter: ChildProcess): void {
  const [program] = childrenOf(nsenter.pid);
  if (program === undefined) nsenter.kill('SIGKILL');
  else process.kill(program, 'SIGKILL');
}

async function awaitTarget(launcher: ChildProcess, pid: number): Promise<void> {
  let state = '';
  const look = async (): Promise<true | undefined> => {
    const argv = ['/bin/systemctl', 'is-system-running'];
    state = (await runProgram(NSENTER, enterArguments(pid, argv), { timeoutMs: 5000 })).stdout.trim();
    // `degraded`: the host is up, but some unit failed. The code that needs that unit reports it.
    if (state === 'running' || state === 'degraded') return true;
    if (hasEnded(launcher))
      throw new LamplighterError('failed', 'boot host: its systemd ended before it was up');
    return undefined;
  };
  if (!(await lookUntil(look, { withinMs: BOOT_DEADLINE_MS, everyMs: 100 })))
    throw new LamplighterError(
      'timed-out',
      `boot host: systemd says "${state}" after ${BOOT_DEADLINE_MS / 1000} s`,
    );
}

async function stopBoot({ launcher, pid }: Boot, signal: NodeJS.Signals | number): Promise<void> {
  await endProcess(launcher, {
    ask: () => {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended between the look and the signal.
      }
    },
    force: () => launcher.kill('SIGKILL'),
    graceMs: POWER_OFF_DEADLINE_MS,
  });
}

/** Process ids of the children of `pid` (proc(5), /proc/PID/task/TID/children); an empty list when it has ended. */
function childrenOf(pid: number | undefined): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}
