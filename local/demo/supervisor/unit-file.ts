// The part of systemd's unit files that the demo's and the agent's units use. Other settings have no effect under the
// supervisor, above all sandbox settings and User=.
import { LamplighterError } from '#shared/errors.ts';

/** Values of a unit file by section and key, in their order. */
export type UnitFile = ReadonlyMap<string, readonly string[]>;

export interface CommandLine {
  argv: readonly string[];
  /** `-` before the program: its failure does not matter. */
  isFailureIgnored: boolean;
}

export interface ServiceSpec {
  description: string;
  isOneshot: boolean;
  start: CommandLine;
  reload: CommandLine | undefined;
  stopPost: CommandLine | undefined;
  environment: Readonly<Record<string, string>>;
  environmentFile: string | undefined;
  workingDir: string | undefined;
  /** Made below the host's `run` before each start. */
  runtimeDir: string | undefined;
  restart: 'no' | 'on-failure' | 'always';
  restartMs: number;
  /** Signals and exit codes after which it stays down, e.g. `SIGKILL`. */
  restartPreventedBy: ReadonlySet<string>;
  killSignal: NodeJS.Signals;
  stopTimeoutMs: number;
  /** Starts within the interval before the unit is given up; 0 is no limit. */
  startLimitIntervalMs: number;
  startLimitBurst: number;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGKILL'] as const;
const UNIT_MS: Readonly<Record<string, number>> = { '': 1000, s: 1000, min: 60_000, h: 3_600_000 };
/** systemd's defaults (systemd-system.conf(5)). */
const DEFAULTS = { restart: '100ms', stopTimeout: '90s', limitInterval: '10s', limitBurst: '5' };

/** Reads a unit file; comments and blank lines count for nothing. */
export function parseUnitFile(text: string): UnitFile {
  const values = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[(.+)\]$/.exec(line);
    if (header) section = header[1] ?? '';
    else {
      const at = line.indexOf('=');
      const key = `${section}.${line.slice(0, at).trim()}`;
      values.set(key, [...(values.get(key) ?? []), line.slice(at + 1).trim()]);
    }
  }
  return values;
}

/** Milliseconds of a time span such as `5min`, `1` (seconds), `100ms` or `infinity`. Throws `invalid-input` for another. */
export function parseSpan(text: string): number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  const [, digits, unit = ''] = /^(\d+)(ms|s|min|h)?$/.exec(text) ?? [];
  if (digits === undefined)
    throw new LamplighterError(
      'invalid-input',
      `read time span ${text}: expected a number with ms, s, min or h, or infinity`,
    );
  return Number(digits) * (unit === 'ms' ? 1 : (UNIT_MS[unit] ?? 1000));
}

/** A command line of a unit, split at spaces (quotes mean nothing here). */
export function parseCommandLine(text: string): CommandLine {
  const isFailureIgnored = text.startsWith('-');
  return { argv: text.slice(isFailureIgnored ? 1 : 0).split(/\s+/), isFailureIgnored };
}

/** The command line with its placeholders, such as `%i` or `$MAINPID`, replaced by values. */
export function fillCommandLine(line: CommandLine, filled: Readonly<Record<string, string>>): CommandLine {
  const fill = (word: string): string =>
    Object.entries(filled).reduce((done, [from, to]) => done.replaceAll(from, to), word);
  return { ...line, argv: line.argv.map(fill) };
}

/** The last value of a key, as systemd takes it. */
export function lastValue(file: UnitFile, key: string): string | undefined {
  return file.get(key)?.at(-1);
}

/** The units that a key such as `Unit.After` lists. */
export function listedUnits(file: UnitFile, key: string): string[] {
  return (file.get(key) ?? []).flatMap((value) => value.split(/\s+/)).filter((name) => name !== '');
}

function parseEnvironment(file: UnitFile): Record<string, string> {
  const pairs = (file.get('Service.Environment') ?? []).flatMap((value) => value.split(/\s+/));
  return Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}

function parseRestart(value: string | undefined): ServiceSpec['restart'] {
  return value === 'always' || value === 'on-failure' ? value : 'no';
}

/** What the supervisor needs of a service unit; `instance` fills `%i`. Throws `invalid-input` when it has no ExecStart. */
export function readServiceSpec(name: string, file: UnitFile, instance = ''): ServiceSpec {
  const value = (key: string): string | undefined => lastValue(file, `Service.${key}`);
  const command = (key: string): CommandLine | undefined => {
    const text = value(key);
    return text === undefined ? undefined : fillCommandLine(parseCommandLine(text), { '%i': instance });
  };
  const start = command('ExecStart');
  if (!start) throw new LamplighterError('invalid-input', `read unit ${name}: the file has no ExecStart`);
  return {
    description: lastValue(file, 'Unit.Description')?.replaceAll('%i', instance) ?? name,
    isOneshot: value('Type') === 'oneshot',
    start,
    reload: command('ExecReload'),
    stopPost: command('ExecStopPost'),
    environment: parseEnvironment(file),
    environmentFile: value('EnvironmentFile'),
    workingDir: value('WorkingDirectory'),
    runtimeDir: value('RuntimeDirectory'),
    restart: parseRestart(value('Restart')),
    restartMs: parseSpan(value('RestartSec') ?? DEFAULTS.restart),
    restartPreventedBy: new Set(listedUnits(file, 'Service.RestartPreventExitStatus')),
    killSignal: SIGNALS.find((signal) => signal === value('KillSignal')) ?? 'SIGTERM',
    stopTimeoutMs: parseSpan(value('TimeoutStopSec') ?? DEFAULTS.stopTimeout),
    startLimitIntervalMs: parseSpan(lastValue(file, 'Unit.StartLimitIntervalSec') ?? DEFAULTS.limitInterval),
    startLimitBurst: Number(lastValue(file, 'Unit.StartLimitBurst') ?? DEFAULTS.limitBurst),
  };
}

/** Names in the order in which units are started at boot: each comes after those that its After= lists and before those that its Before= lists. */
export function orderUnits(files: ReadonlyMap<string, UnitFile>): string[] {
  const names = [...files.keys()];
  const listed = (name: string, key: string): string[] => {
    const file = files.get(name);
    return file ? listedUnits(file, key) : [];
  };
  const ordered: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name) || !files.has(name)) return;
    seen.add(name);
    listed(name, 'Unit.After').forEach(visit);
    names.filter((other) => listed(other, 'Unit.Before').includes(name)).forEach(visit);
    ordered.push(name);
  };
  names.forEach(visit);
  return ordered;
}
