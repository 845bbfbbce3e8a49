// What systemd says of units, for the heartbeat and for people: one call of systemctl for all of them.
import * as z from 'zod';
import type { UnitStatus } from '#shared/command/report.ts';
import { LamplighterError } from '#shared/errors.ts';
import { PATHS } from '../config/paths.ts';
import { runChecked } from './process.ts';

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
  'Result',
  'ExecMainCode',
  'ExecMainStatus',
  'ExecMainExitTimestampMonotonic',
];

/** Arguments of `systemctl show` for several units at once. */
export function showArguments(units: readonly string[]): string[] {
  return ['show', '--no-pager', `--property=${PROPERTIES.join(',')}`, '--', ...units];
}

/** A count of systemctl's; 0 for what is none. */
export const Count = z.coerce.number().int().nonnegative().catch(0);
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

/** A `Key=value` line. */
export function splitPair(line: string): [string, string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

// CLD_EXITED, CLD_KILLED and CLD_DUMPED of waitid(2).
const ENDS = ['exited', 'killed', 'dumped'] as const;

function wallClock(us: number, { nowMs, monotonicUs }: Clocks): string {
  return new Date(nowMs - (monotonicUs - us) / 1000).toISOString();
}

function lastExitOf(block: ReadonlyMap<string, string>, clocks: Clocks): Pick<UnitStatus, 'lastExit'> {
  const endedUs = Count.parse(block.get('ExecMainExitTimestampMonotonic'));
  const how = ENDS[Count.parse(block.get('ExecMainCode')) - 1];
  if (endedUs === 0 || how === undefined) return {};
  return {
    lastExit: { how, status: Count.parse(block.get('ExecMainStatus')), at: wallClock(endedUs, clocks) },
  };
}

function toStatus(block: ReadonlyMap<string, string>, clocks: Clocks): UnitStatus {
  const activeState = block.get('ActiveState') ?? 'unknown';
  const enteredUs = Count.parse(block.get('ActiveEnterTimestampMonotonic'));
  const result = block.get('Result');
  return {
    unit: block.get('Id') ?? '',
    loadState: block.get('LoadState') ?? 'unknown',
    activeState,
    subState: block.get('SubState') ?? 'unknown',
    mainPid: Count.parse(block.get('MainPID')),
    restarts: Count.parse(block.get('NRestarts')),
    activeSince: activeState === 'active' && enteredUs > 0 ? wallClock(enteredUs, clocks) : null,
    memoryBytes: Bytes.parse(block.get('MemoryCurrent')),
    ...(result === undefined ? {} : { result }),
    ...lastExitOf(block, clocks),
  };
}

async function showUnits(units: readonly string[]): Promise<UnitStatus[]> {
  const args = showArguments(units);
  const text = await runChecked({ file: PATHS.systemctl, args, timeoutMs: SHOW_TIMEOUT_MS });
  const statuses = parseShow(text, readClocks());
  if (statuses.length !== units.length)
    throw new LamplighterError(
      'failed',
      `read units: systemctl described ${statuses.length} of ${units.length} units`,
    );
  // Under the names they were asked for: one may be an alias.
  return statuses.map((status, i) => ({ ...status, unit: units[i] ?? status.unit }));
}

function isTimedOut(error: unknown): boolean {
  return error instanceof LamplighterError && error.code === 'timed-out';
}

/** The status of a unit that systemd says nothing about. */
function unreadable(unit: string): UnitStatus {
  const states = { loadState: 'error', activeState: 'unknown', subState: 'unknown' };
  return { unit, ...states, mainPid: 0, restarts: 0, activeSince: null, memoryBytes: null };
}

/** What systemd says of these units, in their order. A name that systemd rejects does not hide the others. */
export async function readUnits(units: readonly string[]): Promise<UnitStatus[]> {
  if (units.length === 0) return [];
  try {
    return await showUnits(units);
  } catch (error) {
    if (isTimedOut(error)) throw error;
  }
  const statuses: UnitStatus[] = [];
  for (const unit of units) {
    const [status] = await showUnits([unit]).catch((error: unknown) => {
      if (isTimedOut(error)) throw error;
      return [];
    });
    statuses.push(status ?? unreadable(unit));
  }
  return statuses;
}

/** What systemd says of one unit. Throws `failed` when it says nothing. */
export async function readUnit(unit: string): Promise<UnitStatus> {
  const [status] = await showUnits([unit]);
  return status ?? unreadable(unit);
}
