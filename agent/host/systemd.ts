// systemctl: reading units as anybody, acting on them as root. The argument lists are pure functions.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { UnitStatus } from '#shared/command/report.ts';
import { PATHS } from '../config/paths.ts';
import { runChecked, runProgram } from './process.ts';

const SHOW_TIMEOUT_MS = 10_000;
const PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'MainPID',
  'NRestarts',
  'ActiveEnterTimestampMonotonic',
  'MemoryCurrent',
];

export type UnitVerb = 'start' | 'stop' | 'restart' | 'reload';

/** Arguments of `systemctl show` for several units at once. */
export function showArguments(units: readonly string[]): string[] {
  return ['show', '--no-pager', `--property=${PROPERTIES.join(',')}`, '--', ...units];
}

/** Arguments of systemctl for an action. */
export function controlArguments(verb: UnitVerb, unit: string): string[] {
  return ['--no-pager', '--no-ask-password', verb, '--', unit];
}

const Count = z.coerce.number().int().nonnegative().catch(0);
// `[not set]`, or UINT64_MAX in older versions, where memory is not accounted.
const Bytes = z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).nullable().catch(null);

/** Now, on both clocks: systemd tells when a unit became active on the monotonic one. */
export interface Clocks {
  nowMs: number;
  monotonicUs: number;
}

/** Reads both clocks; Node's hrtime is CLOCK_MONOTONIC. */
export function readClocks(): Clocks {
  return { nowMs: Date.now(), monotonicUs: Number(process.hrtime.bigint() / 1000n) };
}

/** Parses the output of `systemctl show`: one block of `Key=value` lines per unit. */
export function parseShow(text: string, clocks: Clocks): UnitStatus[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => new Map(block.split('\n').map((line) => splitPair(line))))
    .filter((block) => block.has('Id'))
    .map((block) => toStatus(block, clocks));
}

function splitPair(line: string): [string, string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

function toStatus(block: ReadonlyMap<string, string>, clocks: Clocks): UnitStatus {
  const activeState = block.get('ActiveState') ?? 'unknown';
  const enteredUs = Count.parse(block.get('ActiveEnterTimestampMonotonic'));
  const since = clocks.nowMs - (clocks.monotonicUs - enteredUs) / 1000;
  return {
    unit: block.get('Id') ?? '',
    loadState: block.get('LoadState') ?? 'unknown',
    activeState,
    subState: block.get('SubState') ?? 'unknown',
    mainPid: Count.parse(block.get('MainPID')),
    restarts: Count.parse(block.get('NRestarts')),
    activeSince: activeState === 'active' && enteredUs > 0 ? new Date(since).toISOString() : null,
    memoryBytes: Bytes.parse(block.get('MemoryCurrent')),
  };
}

/** What systemd says of these units, in their order, under the names they were asked for (one may be an alias). */
export async function readUnits(units: readonly string[]): Promise<UnitStatus[]> {
  if (units.length === 0) return [];
  const text = await runChecked({
    file: PATHS.systemctl,
    args: showArguments(units),
    timeoutMs: SHOW_TIMEOUT_MS,
  });
  const statuses = parseShow(text, readClocks());
  return statuses.map((status, i) => ({ ...status, unit: units[i] ?? status.unit }));
}

/** What systemd says of one unit. */
export async function readUnit(unit: string): Promise<UnitStatus> {
  const [status] = await readUnits([unit]);
  if (!status) throw new Error(`read unit ${unit}: systemctl said nothing of it`);
  return status;
}

/** What a unit is at, beyond its status: enough to tell one start of it from the next. */
export interface UnitMoment {
  loadState: string;
  activeState: string;
  /** New with each start of the unit; empty when it was never started. */
  invocationId: string;
  /** systemd still works on it: a job waits or runs, or it is between two states. */
  isMoving: boolean;
}

const MOVING = new Set(['activating', 'deactivating', 'reloading', 'refreshing']);

/** Parses what `systemctl show` says of one unit's moment. */
export function parseMoment(text: string): UnitMoment {
  const block = new Map(text.split('\n').map((line) => splitPair(line)));
  const activeState = block.get('ActiveState') ?? 'unknown';
  return {
    loadState: block.get('LoadState') ?? 'unknown',
    activeState,
    invocationId: block.get('InvocationID') ?? '',
    isMoving: MOVING.has(activeState) || Count.parse(block.get('Job')) > 0,
  };
}

/** What a unit is at now. */
export async function readMoment(unit: string): Promise<UnitMoment> {
  const args = ['show', '--no-pager', '--property=LoadState,ActiveState,InvocationID,Job', '--', unit];
  return parseMoment(await runChecked({ file: PATHS.systemctl, args, timeoutMs: SHOW_TIMEOUT_MS }));
}

const SETTLE_POLL_MS = 200;

/** Waits until systemd no longer works on a unit (a job outlives the program that asked for it), at most `withinMs`. */
export async function awaitSettled(unit: string, withinMs: number): Promise<UnitMoment> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const moment = await readMoment(unit);
    if (!moment.isMoving || Date.now() >= deadline) return moment;
    await sleep(SETTLE_POLL_MS);
  }
}

/** True when a unit has wholly ended, its clean-up included, or is not known. */
export async function isUnitOver(unit: string): Promise<boolean> {
  const { activeState, isMoving } = await readMoment(unit);
  return !isMoving && activeState !== 'active';
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

/** Acts on a unit and waits for systemd's job to end. Throws `failed` with what systemctl said. */
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
