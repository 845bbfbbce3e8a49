// systemctl: the state of a unit, and acting on it as root. The argument lists are pure functions.
import { setTimeout as sleep } from 'node:timers/promises';
import { PATHS } from '../config/paths.ts';
import { runChecked, runProgram } from './process.ts';
import type { UnitMoment } from './unit-stand.ts';
import { Count, splitPair } from './unit-status.ts';

const SHOW_TIMEOUT_MS = 10_000;

export type UnitVerb = 'start' | 'stop' | 'restart' | 'reload';

/** Arguments of systemctl for an action. */
export function controlArguments(verb: UnitVerb, unit: string): string[] {
  return ['--no-pager', '--no-ask-password', verb, '--', unit];
}

const MOMENT_PROPERTIES = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'InvocationID',
  'Job',
  'Type',
  'RemainAfterExit',
  'ConditionResult',
  'ConditionTimestampMonotonic',
  'TriggeredBy',
  'TimeoutStartUSec',
  'TimeoutStopUSec',
  'TimeoutUSec',
];
const MOVING = new Set(['activating', 'deactivating', 'reloading', 'refreshing', 'maintenance']);

function limitOf(block: ReadonlyMap<string, string>, property: string): string {
  const span = block.get(property) ?? block.get('TimeoutUSec') ?? '';
  return span === 'infinity' ? '' : span;
}

/** Parses what `systemctl show` says of one unit's moment. */
export function parseMoment(text: string): UnitMoment {
  const block = new Map(text.split('\n').map((line) => splitPair(line)));
  const activeState = block.get('ActiveState') ?? 'unknown';
  const subState = block.get('SubState') ?? 'unknown';
  const wasTried = Count.parse(block.get('ConditionTimestampMonotonic')) > 0;
  return {
    loadState: block.get('LoadState') ?? 'unknown',
    activeState,
    subState,
    result: block.get('Result') ?? '',
    invocationId: block.get('InvocationID') ?? '',
    // Between two attempts of Restart= systemd works on nothing, and such attempts may go on for ever.
    isMoving:
      (MOVING.has(activeState) && !subState.startsWith('auto-restart')) || Count.parse(block.get('Job')) > 0,
    isOneshot: block.get('Type') === 'oneshot' && block.get('RemainAfterExit') !== 'yes',
    isConditionUnmet: block.get('ConditionResult') === 'no' && wasTried,
    triggeredBy: block.get('TriggeredBy') ?? '',
    startLimit: limitOf(block, 'TimeoutStartUSec'),
    stopLimit: limitOf(block, 'TimeoutStopUSec'),
  };
}

/** The state of a unit now. */
export async function readMoment(unit: string): Promise<UnitMoment> {
  const args = ['show', '--no-pager', `--property=${MOMENT_PROPERTIES.join(',')}`, '--', unit];
  return parseMoment(await runChecked({ file: PATHS.systemctl, args, timeoutMs: SHOW_TIMEOUT_MS }));
}

const SETTLE_POLL_MS = 200;

/** Waits until systemd no longer works on a unit (a job outlives the program that asked for it), or the signal comes. */
export async function awaitSettled(unit: string, signal: AbortSignal): Promise<UnitMoment> {
  for (;;) {
    const moment = await readMoment(unit);
    if (!moment.isMoving || signal.aborted) return moment;
    await sleep(SETTLE_POLL_MS);
  }
}

/** True when a unit has wholly ended, its clean-up included, or is not known. */
export async function isUnitOver(unit: string): Promise<boolean> {
  const { activeState, isMoving } = await readMoment(unit);
  return !isMoving && activeState !== 'active';
}

/** Kills every process of a unit, if its main process runs: not what systemd starts after it. */
export async function killRunning(unit: string): Promise<void> {
  const { activeState } = await readMoment(unit);
  if (activeState !== 'active') return;
  const args = ['kill', '--signal=SIGKILL', '--', unit];
  // It may have ended meanwhile.
  await runProgram({ file: PATHS.systemctl, args, timeoutMs: SHOW_TIMEOUT_MS });
}

/** True while the whole host is shutting down. */
export async function isSystemStopping(): Promise<boolean> {
  const { stdout } = await runProgram({
    file: PATHS.systemctl,
    args: ['is-system-running'],
    timeoutMs: SHOW_TIMEOUT_MS,
  });
  return stdout.trim() === 'stopping';
}

/**
 * Acts on a unit and waits for systemd's job to end. systemd's own limits (TimeoutStartSec=, TimeoutStopSec=) decide when it
 * failed: `timeoutMs` should only bound what has none. Throws `failed` with what systemctl said.
 */
export async function controlUnit(
  verb: UnitVerb,
  unit: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  // A unit that failed too often in a row refuses to start until its counter is reset: whoever asks for a start wants one.
  if (verb === 'start' || verb === 'restart') {
    await runProgram({
      file: PATHS.systemctl,
      args: ['reset-failed', '--', unit],
      timeoutMs: SHOW_TIMEOUT_MS,
    });
  }
  await runChecked({
    file: PATHS.systemctl,
    args: controlArguments(verb, unit),
    timeoutMs,
    ...(signal ? { signal } : {}),
  });
}
