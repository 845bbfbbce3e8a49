// A read, which the agent answers itself: when the gate has a place, and before the command expires.
import type { FinishedReport } from '#shared/command/report.ts';
import { hintOf, messageOf } from '#shared/errors.ts';
import { redact } from '../host/redact.ts';
import type { Read, ReadContext } from '../operations/twin.ts';
import { READ_LIMITS, type ReadGate, type ReadKind, type ReadLimits } from './read-gate.ts';

export type Finish = Pick<FinishedReport, 'state' | 'code' | 'message' | 'hint' | 'result'>;

export interface ReadOptions {
  gate: ReadGate;
  clock: () => Date;
  /** Aborted when the agent stops. */
  signal: AbortSignal;
}

const MAX_MESSAGE_LENGTH = 4000;
const MAX_HINT_LENGTH = 2000;

/** Message and hint of what was thrown, as a report carries them. */
export function tell(error: unknown): Pick<Finish, 'message' | 'hint'> {
  const hint = hintOf(error);
  return {
    message: redact(messageOf(error)).slice(0, MAX_MESSAGE_LENGTH),
    ...(hint === undefined ? {} : { hint: redact(hint).slice(0, MAX_HINT_LENGTH) }),
  };
}

/** The end of a brief read for which a gate with these limits has no place. */
export function turnAway({ atOnce, waiting }: ReadLimits): Finish {
  const message = `${atOnce} reads run on this host and ${waiting} wait`;
  return { state: 'rejected', code: 'busy', message, hint: 'Try again in a moment.' };
}

const TURNED_AWAY: Record<ReadKind, Pick<Finish, 'message' | 'hint'>> = {
  brief: turnAway(READ_LIMITS),
  stream: {
    message: `${READ_LIMITS.streams} logs are being followed on this host, or ${READ_LIMITS.atOnce} reads run`,
    hint: 'Stop following one of them, or read the log without -f.',
  },
};

/**
 * Does a read and returns its end. Throws only when the agent is being stopped: the next agent then begins the read again,
 * unless it has expired.
 */
export async function carryRead(
  read: Read,
  kind: ReadKind,
  spec: unknown,
  context: Omit<ReadContext, 'signal'>,
  { gate, clock, signal }: ReadOptions,
): Promise<Finish> {
  const leave = await gate.enter(kind);
  if (!leave) return { state: 'rejected', code: 'busy', ...TURNED_AWAY[kind] };
  const { timeoutMs, expiresAt } = context.envelope;
  const timeUp = AbortSignal.timeout(timeoutMs);
  try {
    // The read waited too long for a place, or an earlier agent had it: no client waits for its answer any more.
    if (clock().getTime() > Date.parse(expiresAt))
      return { state: 'expired', code: 'expired', message: `it did not start by ${expiresAt}` };
    const result = await read(spec, { ...context, signal: AbortSignal.any([signal, timeUp]) });
    return { state: 'succeeded', result };
  } catch (error) {
    if (signal.aborted) throw error;
    if (timeUp.aborted)
      return { state: 'timed-out', code: 'timed-out', message: `not done within ${timeoutMs} ms` };
    return { state: 'failed', code: 'step-failed', ...tell(error) };
  } finally {
    leave();
  }
}
