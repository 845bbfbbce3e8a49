// systemctl: reading units as anybody, acting on them as root. The argument lists are pure functions.

import { z } from 'zod';
import type { UnitStatus } from '#shared/command/report.ts';
import { runChecked, runProgram } from './process.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
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

/** What systemd says of these units, in their order. */
export async function readUnits(units: readonly string[]): Promise<UnitStatus[]> {
  if (units.length === 0) return [];
  const args = showArguments(units);
  return parseShow(await runChecked({ file: SYSTEMCTL, args, timeoutMs: SHOW_TIMEOUT_MS }), readClocks());
}

/** What systemd says of one unit. */
export async function readUnit(unit: string): Promise<UnitStatus> {
  const [status] = await readUnits([unit]);
  if (!status) throw new Error(`read unit ${unit}: systemctl said nothing of it`);
  return status;
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
    await runProgram({ file: SYSTEMCTL, args: ['reset-failed', '--', unit], timeoutMs: SHOW_TIMEOUT_MS });
  }
  await runChecked({
    file: SYSTEMCTL,
    args: controlArguments(verb, unit),
    timeoutMs,
    ...(signal ? { signal } : {}),
  });
}
