// How the main process of a unit ended, if that was just before its check failed. Pure.
import type { UnitStatus } from '#shared/command/report.ts';
import { durationText } from '../alert/text.ts';

/** An exit longer ago has nothing to do with a check that fails now. */
const MAX_AGE_MS = 10 * 60_000;
/** The host's clock may be ahead of ours by this much. */
const MAX_AHEAD_MS = 60_000;

function howText({ how, status }: NonNullable<UnitStatus['lastExit']>): string | undefined {
  if (how === 'killed') return `was killed, signal ${status}`;
  if (how === 'dumped') return `crashed, signal ${status}, core dumped`;
  // Status 0 says nothing: a unit that was stopped on purpose ends with 0, too.
  return status === 0 ? undefined : `ended with status ${status}`;
}

/**
 * `app-web.service was killed, signal 9, 7 s before`. Undefined when the unit runs, ended too long ago, ended without an error,
 * or the agent does not know.
 */
export function lastExitText(unit: UnitStatus | undefined, now: Date): string | undefined {
  if (!unit?.lastExit || unit.result === 'success') return undefined;
  const ageMs = now.getTime() - Date.parse(unit.lastExit.at);
  const how = howText(unit.lastExit);
  if (how === undefined || ageMs > MAX_AGE_MS || ageMs < -MAX_AHEAD_MS) return undefined;
  const memory = unit.result === 'oom-kill' ? ', out of memory' : '';
  return `${unit.unit} ${how}${memory}, ${durationText(ageMs)} before`;
}
