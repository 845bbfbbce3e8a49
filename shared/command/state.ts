// The states of a command, as everybody sees them. How one leads to another: functions/command/state.ts.
import * as z from 'zod';

/** Somebody works on the command, or will. */
export const OPEN_STATES = ['requested', 'sent', 'accepted', 'running'] as const;
/** How a command can end. `unknown`: nobody can tell; a later report may still say. */
export const END_STATES = [
  'succeeded',
  'failed',
  'timed-out',
  'expired',
  'rejected',
  'cancelled',
  'unknown',
] as const;

export const CommandState = z.enum([...OPEN_STATES, ...END_STATES]);
export type CommandState = z.infer<typeof CommandState>;

export const EndState = z.enum(END_STATES);
export type EndState = z.infer<typeof EndState>;

/** True for a state in which nobody is working on the command. */
export function isSettled(state: CommandState): state is EndState {
  return EndState.safeParse(state).success;
}

/** True for an end that says how the command went: every one but `unknown`. */
export function isFinal(state: CommandState): boolean {
  return isSettled(state) && state !== 'unknown';
}

/** Whose key signed the report of an end. */
export const EndSigner = z.enum(['agent', 'runner']);
export type EndSigner = z.infer<typeof EndSigner>;
