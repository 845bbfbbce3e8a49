// One service unit: its process, its state as systemd names it, its restarts.
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess } from '#local/wait.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { Journal } from './journal.ts';
import { signalGroup, spawnUnit, type UnitWorld } from './spawn-unit.ts';
import { type CommandLine, fillCommandLine, type ServiceSpec } from './unit-file.ts';

/** A unit's state in the words of systemctl(1). */
export interface UnitState {
  activeState: 'inactive' | 'activating' | 'active' | 'deactivating' | 'failed';
  subState: string;
  mainPid: number;
  restarts: number;
  /** CLOCK_MONOTONIC in microseconds when it last became active; 0 when never. */
  activeEnterUs: number;
  /** New with each start. */
  invocationId: string;
}

export interface ServiceContext {
  name: string;
  readSpec(): ServiceSpec;
  world: UnitWorld;
  journal: Journal;
  /** It has ended and nothing will start it again by itself. */
  onOver(): void;
}

const NOTICE = 5;
const WARNING = 4;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The state of a unit that never ran. */
export const NEVER_RAN: UnitState = {
  activeState: 'inactive',
  subState: 'dead',
  mainPid: 0,
  restarts: 0,
  activeEnterUs: 0,
  invocationId: '',
};

export class Service {
  #state = NEVER_RAN;
  #main: { child: ChildProcess; over: Promise<void> } | undefined;
  #isStopping = false;
  /** Times of its latest starts, for the start limit. */
  #starts: number[] = [];
  #pendingRestart: AbortController | undefined;
  readonly #context: ServiceContext;

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  state(): UnitState {
    return this.#state;
  }

  /** Starts it unless it runs; a connection becomes its stdin. Throws `failed` when it can't be started. */
  async start(socket?: Socket): Promise<void> {
    if (this.#main) return;
    this.#pendingRestart?.abort();
    await this.#begin(socket);
  }

  /** Stops it and waits for its end; killed when it takes longer than its unit allows. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#pendingRestart?.abort();
    if (this.#main) return await this.#stopMain(this.#main);
    if (this.#state.activeState === 'activating') this.#change({ activeState: 'inactive', subState: 'dead' });
  }

  /** Runs its ExecReload=. Throws `failed` when it has none, does not run, or the reload fails. */
  async reload(): Promise<void> {
    const spec = this.#context.readSpec();
    if (!spec.reload || !this.#main)
      throw new LamplighterError(
        'failed',
        `reload ${this.#context.name}: the unit does not run, or has no ExecReload`,
      );
    const filled = { $MAINPID: String(this.#state.mainPid) };
    await this.#runAside(fillCommandLine(spec.reload, filled), spec);
  }

  /** Signals every process of it. */
  kill(signal: NodeJS.Signals): void {
    signalGroup(this.#main?.child.pid, signal);
  }

  resetFailed(): void {
    this.#starts = [];
    if (this.#state.activeState === 'failed') this.#change({ activeState: 'inactive', subState: 'dead' });
    this.#change({ restarts: 0 });
  }

  #change(next: Partial<UnitState>): void {
    this.#state = { ...this.#state, ...next };
  }

  #log(message: string, priority?: number): void {
    this.#context.journal.write(this.#context.name, 0, message, priority);
  }

  #spawn(spec: ServiceSpec, argv: readonly string[], environment = {}, socket?: Socket): ChildProcess {
    const { world, journal, name } = this.#context;
    const onLine = (pid: number, line: string): void => journal.write(name, pid, line);
    const child = spawnUnit(world, { argv, spec, environment, socket, onLine });
    child.on('error', () => undefined);
    return child;
  }

  async #begin(socket?: Socket): Promise<void> {
    const { name, readSpec } = this.#context;
    this.#pendingRestart = undefined;
    const spec = readSpec();
    this.#countStart(spec);
    this.#isStopping = false;
    this.#log(`Starting ${spec.description}`);
    const invocationId = randomBytes(16).toString('hex');
    const child = this.#spawn(spec, spec.start.argv, { INVOCATION_ID: invocationId }, socket);
    this.#change({
      activeState: spec.isOneshot ? 'activating' : 'active',
      subState: spec.isOneshot ? 'start' : 'running',
      mainPid: child.pid ?? 0,
      activeEnterUs: Number(process.hrtime.bigint() / 1000n),
      invocationId,
    });
    const over = this.#settle(child, spec);
    this.#main = { child, over };
    if (spec.isOneshot || child.pid === undefined) await over;
    if (this.#state.activeState === 'failed')
      throw new LamplighterError('failed', `start ${name}: the process failed; its journal says why`);
  }

  #countStart(spec: ServiceSpec): void {
    const now = Date.now();
    this.#starts = this.#starts.filter((at) => now - at < spec.startLimitIntervalMs);
    if (spec.startLimitIntervalMs > 0 && this.#starts.length >= spec.startLimitBurst) {
      this.#change({ activeState: 'failed', subState: 'failed' });
      this.#log('Start request repeated too quickly.', WARNING);
      throw new LamplighterError(
        'failed',
        `start ${this.#context.name}: the unit was started too often within its start limit`,
      );
    }
    this.#starts.push(now);
  }

  /** Waits for the main process's end; cleans up; then it stays down or comes back. */
  async #settle(child: ChildProcess, spec: ServiceSpec): Promise<void> {
    const exit = await awaitExit(child);
    if (!exit.isClean) this.#log(`Main process exited, ${exit.description}`, NOTICE);
    signalGroup(child.pid, 'SIGKILL');
    this.#change({ activeState: 'deactivating', subState: 'stop-post', mainPid: 0 });
    if (spec.stopPost)
      await this.#runAside(spec.stopPost, spec).catch((error) => this.#log(messageOf(error), WARNING));
    this.#main = undefined;
    if (exit.isClean) this.#change({ activeState: 'inactive', subState: 'dead' });
    else this.#change({ activeState: 'failed', subState: 'failed' });
    if (this.#comesBack(exit, spec)) this.#restartLater(spec);
    else this.#context.onOver();
  }

  #comesBack({ isClean, status }: Exit, { restart, restartPreventedBy }: ServiceSpec): boolean {
    if (this.#isStopping || restartPreventedBy.has(status)) return false;
    return restart === 'always' || (restart === 'on-failure' && !isClean);
  }

  #restartLater({ restartMs }: ServiceSpec): void {
    this.#change({
      activeState: 'activating',
      subState: 'auto-restart',
      restarts: this.#state.restarts + 1,
    });
    const pending = new AbortController();
    this.#pendingRestart = pending;
    sleep(restartMs, undefined, { signal: pending.signal })
      .then(() => this.#begin())
      // Given up, or stopped meanwhile: the state says which.
      .catch(() => undefined);
  }

  async #stopMain({ child, over }: { child: ChildProcess; over: Promise<void> }): Promise<void> {
    const { killSignal, stopTimeoutMs } = this.#context.readSpec();
    this.#change({ activeState: 'deactivating', subState: 'stop-sigterm' });
    await endProcess(child, {
      ask: () => signalGroup(child.pid, killSignal),
      force: () => signalGroup(child.pid, 'SIGKILL'),
      graceMs: Math.min(stopTimeoutMs, MAX_TIMER_MS),
    });
    await over;
  }

  async #runAside(line: CommandLine, spec: ServiceSpec): Promise<void> {
    const exit = await awaitExit(this.#spawn(spec, line.argv));
    if (exit.isClean || line.isFailureIgnored) return;
    throw new LamplighterError('failed', `run ${line.argv[0]}: ${exit.description}`);
  }
}

/** How a process of a unit ended, in the words of systemd. */
interface Exit {
  isClean: boolean;
  /** As RestartPreventExitStatus= names it: a signal or an exit code; empty when it never began. */
  status: string;
  /** As systemd logs it. */
  description: string;
}

/** Signals by which a service may end well (systemd.service(5), SuccessExitStatus=). */
const CLEAN_SIGNALS = new Set(['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGPIPE']);

/** Waits for a process's end. Never rejects: a process that could not be started counts as ended. */
async function awaitExit(child: ChildProcess): Promise<Exit> {
  if (child.pid === undefined) {
    const error: unknown = await once(child, 'error').then(([cause]: unknown[]) => cause);
    return { isClean: false, status: '', description: messageOf(error) };
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const { exitCode: code, signalCode: signal } = child;
  if (signal === null) {
    return { isClean: code === 0, status: String(code), description: `code=exited, status=${code}` };
  }
  const description = `code=killed, status=${signal.slice(3)}`;
  return { isClean: CLEAN_SIGNALS.has(signal), status: signal, description };
}
