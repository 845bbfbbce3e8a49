// Answers what the agent, the installer and people ask of systemctl(1): the verbs and properties that they use, in its
// words and with its exit codes.
import { parseArgs } from 'node:util';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { NEVER_RAN, type UnitState } from './service.ts';
import type { Supervisor } from './supervisor.ts';
import type { ProgramAnswer } from './systemctl-answer.ts';
import { lastValue } from './unit-file.ts';

const OPTIONS = {
  property: { type: 'string', short: 'p' },
  signal: { type: 'string', short: 's', default: 'SIGTERM' },
  now: { type: 'boolean', default: false },
  quiet: { type: 'boolean', short: 'q', default: false },
  'no-pager': { type: 'boolean' },
  'no-ask-password': { type: 'boolean' },
} as const;

/** Exit codes of systemctl(1) after LSB: a failure, a usage that is not known, a unit that is not. */
const EXIT = { failure: 1, usage: 2, notActive: 3, noSuchUnit: 5 } as const;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGKILL'] as const;

type Options = ReturnType<typeof parse>['values'];
type Verb = (supervisor: Supervisor, units: readonly string[], options: Options) => Promise<string> | string;

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
}

function stateOf(supervisor: Supervisor, name: string): UnitState {
  if (name.endsWith('.service')) return supervisor.service(name).state();
  return supervisor.isWaiting(name)
    ? { ...NEVER_RAN, activeState: 'active', subState: 'waiting' }
    : NEVER_RAN;
}

function describeUnit(supervisor: Supervisor, name: string): Record<string, string> {
  const file = supervisor.find(name);
  if (!file) return { Id: name, LoadState: 'not-found', ActiveState: 'inactive', SubState: 'dead' };
  const state = stateOf(supervisor, name);
  return {
    Id: name,
    Description: lastValue(file, 'Unit.Description') ?? name,
    LoadState: 'loaded',
    ActiveState: state.activeState,
    SubState: state.subState,
    MainPID: String(state.mainPid),
    NRestarts: String(state.restarts),
    ActiveEnterTimestampMonotonic: String(state.activeEnterUs),
    InvocationID: state.invocationId,
    MemoryCurrent: '[not set]',
    Job: '0',
  };
}

async function forEach(
  units: readonly string[],
  act: (unit: string) => Promise<void> | void,
): Promise<string> {
  for (const unit of units) await act(unit);
  return '';
}

async function restart(supervisor: Supervisor, unit: string): Promise<void> {
  await supervisor.stop(unit);
  await supervisor.start(unit);
}

const VERBS: Readonly<Record<string, Verb>> = {
  show: (supervisor, units, { property }) => {
    const wanted = property?.split(',');
    const blocks = units.map((unit) =>
      Object.entries(describeUnit(supervisor, unit))
        .filter(([key]) => wanted === undefined || wanted.includes(key))
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    return blocks.join('\n');
  },
  start: (supervisor, units) => forEach(units, (unit) => supervisor.start(unit)),
  stop: (supervisor, units) => forEach(units, (unit) => supervisor.stop(unit)),
  restart: (supervisor, units) => forEach(units, (unit) => restart(supervisor, unit)),
  reload: (supervisor, units) => forEach(units, (unit) => supervisor.service(unit).reload()),
  kill: (supervisor, units, { signal }) =>
    forEach(units, (unit) => {
      const known = SIGNALS.find((name) => name === signal || name === `SIG${signal}`);
      if (!known) throw new LamplighterError('invalid-input', `Failed to parse signal string ${signal}`);
      supervisor.service(unit).kill(known);
    }),
  'reset-failed': (supervisor, units) => forEach(units, (unit) => supervisor.service(unit).resetFailed()),
  enable: (supervisor, units, { now }) =>
    forEach(units, async (unit) => {
      supervisor.enable(unit);
      if (now) await supervisor.start(unit);
    }),
  disable: (supervisor, units, { now }) =>
    forEach(units, async (unit) => {
      supervisor.disable(unit);
      if (now) await supervisor.stop(unit);
    }),
  'daemon-reload': () => '',
};

function systemState(supervisor: Supervisor): ProgramAnswer {
  const isStopping = supervisor.isStopping();
  return {
    code: isStopping ? EXIT.failure : 0,
    stdout: isStopping ? 'stopping\n' : 'running\n',
    stderr: '',
  };
}

function isActive(supervisor: Supervisor, units: readonly string[]): ProgramAnswer {
  const states = units.map((unit) => describeUnit(supervisor, unit).ActiveState ?? 'unknown');
  const code = states.includes('active') ? 0 : EXIT.notActive;
  return { code, stdout: `${states.join('\n')}\n`, stderr: '' };
}

/** Carries out one call; never throws. */
export async function answerSystemctl(
  supervisor: Supervisor,
  argv: readonly string[],
): Promise<ProgramAnswer> {
  try {
    const { values, positionals } = parse(argv);
    const [name = '', ...units] = positionals;
    if (name === 'is-active') return isActive(supervisor, units);
    if (name === 'is-system-running') return systemState(supervisor);
    const verb = VERBS[name];
    if (!verb)
      throw new LamplighterError(
        'invalid-input',
        `Unknown command verb ${name} (the demo's supervisor answers here).`,
      );
    return { code: 0, stdout: await verb(supervisor, units, values), stderr: '' };
  } catch (error) {
    return { code: codeOf(error), stdout: '', stderr: `${messageOf(error)}\n` };
  }
}

function codeOf(error: unknown): number {
  if (!(error instanceof LamplighterError)) return EXIT.usage;
  if (error.code === 'not-found') return EXIT.noSuchUnit;
  return error.code === 'invalid-input' ? EXIT.usage : EXIT.failure;
}
