// What an operation's twin on the host is: a read, done by the agent itself, or a procedure, done by the runner.
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import type { Procedure } from '../runner/steps.ts';

export interface HostContext {
  policy: Policy;
  envelope: CommandEnvelope;
}

/** `signed`: the command as it came, for the processes of root's that verify it again; aborted when its time is up. */
export interface ReadContext extends HostContext {
  signed: SignedBytes;
  signal: AbortSignal;
}

/** Answers a read. */
export type Read = (spec: unknown, context: ReadContext) => Promise<unknown>;

/** Plans a procedure for a parsed spec. */
export type Plan = (spec: unknown, context: HostContext) => Procedure;
