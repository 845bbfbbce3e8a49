// What an operation's twin on the host is: a read, answered by the agent itself, or a procedure, carried out by the runner.
import type * as z from 'zod';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { Risk } from '#shared/role.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { defineStep, type Procedure, type StepContext } from '../runner/step.ts';

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

export type Twin = { operation: string } & (
  | { read: Read }
  | { plan(spec: unknown, context: HostContext): Procedure }
);

/** The twin of a read that the agent answers itself. */
export function defineRead<P extends z.ZodType, S extends z.ZodType, R extends z.ZodType>(
  operation: OperationDefinition<P, S, R, 'read'>,
  answer: (spec: z.infer<S>, context: ReadContext) => Promise<z.input<R>>,
): Twin {
  const { name, spec } = operation;
  return { operation: name, read: async (given, context) => await answer(spec.parse(given), context) };
}

/** The twin of an operation that the runner carries out. */
export function defineProcedure<P extends z.ZodType, S extends z.ZodType, R extends z.ZodType>(
  operation: OperationDefinition<P, S, R, Risk>,
  plan: (spec: z.infer<S>, context: HostContext) => Procedure<z.input<R>>,
): Twin {
  const { name, spec } = operation;
  return { operation: name, plan: (given, context) => plan(spec.parse(given), context) };
}

/** The twin of a read that needs root: one step, which may be done any number of times. */
export function defineRootRead<P extends z.ZodType, S extends z.ZodType, R extends z.ZodType>(
  operation: OperationDefinition<P, S, R, 'read'>,
  answer: (spec: z.infer<S>, context: StepContext) => Promise<z.output<R> & z.input<R>>,
): Twin {
  return defineProcedure(operation, (spec) => {
    const look = defineStep<z.output<R> & z.input<R>>({
      name: 'look',
      describe: () => operation.summary,
      output: operation.result as z.ZodType<z.output<R> & z.input<R>>,
      run: async (context) => ({ data: await answer(spec, context) }),
      afterCrash: 'repeat',
    });
    return { steps: [look], result: ({ outputOf }) => outputOf(look) };
  });
}
