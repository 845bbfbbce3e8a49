// The small supervisor: does for the demo platform what systemd does on a host, from the same unit files, where this
// machine gives no right to boot a systemd. It isolates nothing: every process runs under one account.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { type Journal, openJournal } from './journal.ts';
import { Service } from './service.ts';
import { type ListeningSocket, listenOn } from './socket-unit.ts';
import type { UnitWorld } from './spawn-unit.ts';
import {
  lastValue,
  listedUnits,
  orderUnits,
  parseSpan,
  parseUnitFile,
  readServiceSpec,
  type UnitFile,
} from './unit-file.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;
const DEFAULT_MAX_CONNECTIONS = '64';

/** A template's name for an instance of it; other names stay. */
function templateOf(name: string): string {
  return name.replace(/@.*\./, '@.');
}

export class Supervisor {
  readonly #world: UnitWorld;
  readonly #journal: Journal;
  readonly #unitDir: string;
  readonly #wantedDir: string;
  readonly #services = new Map<string, Service>();
  readonly #sockets = new Map<string, ListeningSocket>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isDown = false;

  constructor(world: UnitWorld) {
    this.#world = world;
    this.#journal = openJournal(join(world.root, 'var/log/journal'), Date.now);
    this.#unitDir = join(world.root, 'etc/systemd/system');
    this.#wantedDir = join(this.#unitDir, 'multi-user.target.wants');
  }

  /** The unit's file, its template's for an instance; undefined when there is none. */
  find(name: string): UnitFile | undefined {
    const files = [name, templateOf(name)].map((each) => join(this.#unitDir, each));
    const file = files.find((each) => existsSync(each));
    return file === undefined ? undefined : parseUnitFile(readFileSync(file, 'utf8'));
  }

  /** The service of that name, running or not. */
  service(name: string): Service {
    const known = this.#services.get(name);
    if (known) return known;
    const instance = /@(.*)\./.exec(name)?.[1];
    const service = new Service({
      name,
      world: this.#world,
      journal: this.#journal,
      readSpec: () => readServiceSpec(name, this.#mustFind(name), instance),
      onOver: () => {
        // There is no limit to instances, so an instance that has ended is forgotten.
        if (instance !== undefined) this.#services.delete(name);
        const timer = name.replace(/service$/, 'timer');
        if (this.#timers.has(timer)) this.#arm(timer, 'OnUnitInactiveSec');
      },
    });
    this.#services.set(name, service);
    return service;
  }

  /** True for a socket or timer unit that was started. */
  isWaiting(name: string): boolean {
    return this.#sockets.has(name) || this.#timers.has(name);
  }

  /** True while everything is being stopped, and after that. */
  isStopping(): boolean {
    return this.#isDown;
  }

  /** Starts a unit, after the services that it wants. Throws `not-found`, or `failed` when it can't be started. */
  async start(name: string): Promise<void> {
    const file = this.#mustFind(name);
    if (name.endsWith('.socket')) return await this.#startSocket(name, file);
    if (name.endsWith('.timer')) return this.#timers.has(name) ? undefined : this.#arm(name, 'OnBootSec');
    for (const wanted of listedUnits(file, 'Unit.Wants')) {
      const isOurs = wanted.endsWith('.service') && this.find(wanted) !== undefined;
      // Wants= is not Requires=: the unit is started even when a wanted one fails.
      if (isOurs)
        await this.service(wanted)
          .start()
          .catch(() => undefined);
    }
    await this.service(name).start();
  }

  async stop(name: string): Promise<void> {
    this.#mustFind(name);
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    this.#sockets.get(name)?.close();
    this.#sockets.delete(name);
    await this.#services.get(name)?.stop();
  }

  /** Has it started at boot. */
  enable(name: string): void {
    this.#mustFind(name);
    mkdirSync(this.#wantedDir, { recursive: true });
    rmSync(join(this.#wantedDir, name), { force: true });
    symlinkSync(`../${name}`, join(this.#wantedDir, name));
  }

  disable(name: string): void {
    rmSync(join(this.#wantedDir, name), { force: true });
  }

  /** Starts the enabled units in the order that they ask for. When one fails, the others are started all the same. */
  async boot(): Promise<void> {
    this.#isDown = false;
    const names = existsSync(this.#wantedDir) ? readdirSync(this.#wantedDir) : [];
    const files = names.flatMap((name) => {
      const file = this.find(name);
      return file ? [[name, file] as const] : [];
    });
    for (const name of orderUnits(new Map(files))) await this.start(name).catch(() => undefined);
  }

  /** Stops every unit. */
  async shutDown(): Promise<void> {
    this.#isDown = true;
    for (const name of [...this.#timers.keys(), ...this.#sockets.keys()]) await this.stop(name);
    const services = [...this.#services.values()];
    await Promise.all(services.map((service) => service.stop()));
    this.#services.clear();
  }

  #mustFind(name: string): UnitFile {
    const file = this.find(name);
    if (!file) throw new LamplighterError('not-found', `Unit ${name} not found.`);
    return file;
  }

  async #startSocket(name: string, file: UnitFile): Promise<void> {
    if (this.#sockets.has(name)) return;
    const accept = (count: number, socket: Socket): void => {
      const instance = name.replace(/\.socket$/, `@${count}-${process.pid}-${Date.now()}.service`);
      this.service(instance)
        .start(socket)
        .catch(() => undefined)
        // The instance has a copy of it.
        .finally(() => socket.destroy());
    };
    const listening = await listenOn(lastValue(file, 'Socket.ListenStream') ?? '', {
      maxConnections: Number(lastValue(file, 'Socket.MaxConnections') ?? DEFAULT_MAX_CONNECTIONS),
      account: this.#world.account,
      onConnection: accept,
    });
    this.#sockets.set(name, listening);
  }

  #arm(timer: string, key: 'OnBootSec' | 'OnUnitInactiveSec'): void {
    const span = lastValue(this.#mustFind(timer), `Timer.${key}`);
    if (span === undefined || this.#isDown) return;
    const due = (): void =>
      void this.service(timer.replace(/timer$/, 'service'))
        .start()
        .catch(() => undefined);
    clearTimeout(this.#timers.get(timer));
    this.#timers.set(timer, setTimeout(due, Math.min(parseSpan(span), MAX_TIMER_MS)).unref());
  }
}
