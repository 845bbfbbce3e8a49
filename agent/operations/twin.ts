// What an operation's twin on the host is: a read, done by the agent itself, or a procedure, done by the runner.
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { Procedure } from '../runner/steps.ts';

export interface HostContext {
  policy: Policy;
  envelope: CommandEnvelope;
}

/** Answers a read; aborted when its time is up. */
export type Read = (spec: unknown, context: HostContext & { signal: AbortSignal }) => Promise<unknown>;

/** Plans a procedure for a parsed spec. */
export type Plan = (spec: unknown, context: HostContext) => Procedure;
