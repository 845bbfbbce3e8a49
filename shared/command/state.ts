// The states of a command. They only move forward, with one exception, in whatever order messages come in.
import * as z from 'zod';

export const CommandState = z.enum([
  'requested',
  'awaiting-approval',
  'sent',
  'accepted',
  'running',
  'succeeded',
  'failed',
  'timed-out',
  'expired',
  'rejected',
  'cancelled',
  'unknown',
]);
export type CommandState = z.infer<typeof CommandState>;

const RANK: Record<CommandState, number> = {
  requested: 0,
  'awaiting-approval': 1,
  sent: 2,
  accepted: 3,
  running: 4,
  // `unknown` may still be decided by a later probe or a result that comes late.
  unknown: 5,
  succeeded: 6,
  failed: 6,
  'timed-out': 6,
  expired: 6,
  rejected: 6,
  cancelled: 6,
};

/** True for a state that no message can change any more. */
export function isFinal(state: CommandState): boolean {
  return RANK[state] === 6;
}

/** True for a state in which nobody is working on the command: final, or `unknown`. */
export function isSettled(state: CommandState): boolean {
  return RANK[state] >= 5;
}

/** The state after `reported` arrives while the record says `current`: the later of the two; the first final state stays. */
export function advanceState(current: CommandState, reported: CommandState): CommandState {
  return RANK[reported] > RANK[current] ? reported : current;
}

/** Whose key signed the report of an end. */
export const EndSigner = z.enum(['agent', 'runner']);
export type EndSigner = z.infer<typeof EndSigner>;

/**
 * The one exception to "forward only": an end signed by the runner replaces one that the agent made, since a stolen agent
 * could lie about what root did.
 */
export function isEndReplaced(
  current: { state: CommandState; endedBy: EndSigner | null },
  signer: EndSigner | null,
): boolean {
  return isSettled(current.state) && current.endedBy === 'agent' && signer === 'runner';
}
