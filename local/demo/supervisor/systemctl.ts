// Answers what the agent, the installer and the demo ask of systemctl(1): these verbs and properties and no more, in its
// words and with its exit codes.
import { parseArgs } from 'node:util';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { NEVER_RAN, type UnitState } from './service.ts';
import type { Supervisor } from './supervisor.ts';
import type { ProgramAnswer } from './systemctl-answer.ts';

const OPTIONS = {
  property: { type: 'string', default: '' },
  signal: { type: 'string' },
  now: { type: 'boolean', default: false },
  quiet: { type: 'boolean' },
  'no-pager': { type: 'boolean' },
  'no-ask-password': { type: 'boolean' },
} as const;

/** Exit codes of systemctl(1) after LSB. */
const EXIT = { failure: 1, usage: 2, noSuchUnit: 5 } as const;

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
  if (!supervisor.find(name))
    return { Id: name, LoadState: 'not-found', ActiveState: 'inactive', SubState: 'dead' };
  const state = stateOf(supervisor, name);
  return {
    Id: name,
    LoadState: 'loaded',
    ActiveState: state.activeState,
    SubState: state.subState,
    MainPID: String(state.mainPid),
    NRestarts: String(state.restarts),
    ActiveEnterTimestampMonotonic: String(state.activeEnterUs),
    InvocationID: state.invocationId,
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
    const wanted = property.split(',');
    const blocks = units.map((unit) =>
      Object.entries(describeUnit(supervisor, unit))
        .filter(([key]) => wanted.includes(key))
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
      if (signal !== 'SIGKILL')
        throw new LamplighterError('invalid-input', `Failed to parse signal string ${signal}.`);
      supervisor.service(unit).kill(signal);
    }),
  'reset-failed': (supervisor, units) => forEach(units, (unit) => supervisor.service(unit).resetFailed()),
  enable: (supervisor, units) => forEach(units, (unit) => supervisor.enable(unit)),
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

/** Carries out one call; never throws. */
export async function answerSystemctl(
  supervisor: Supervisor,
  argv: readonly string[],
): Promise<ProgramAnswer> {
  try {
    const { values, positionals } = parse(argv);
    const [name = '', ...units] = positionals;
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
