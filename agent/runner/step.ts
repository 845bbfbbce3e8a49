// What a step is: one object that says what it does, what it leaves, how it is taken back, and what a crash in it comes to.
import type * as z from 'zod';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { OutcomeCode } from '#shared/command/report.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { Signer } from '#shared/signing/dsse.ts';

/** What steps work with. */
export interface StepContext {
  readonly envelope: CommandEnvelope;
  readonly policy: Policy;
  /** The host's runner key: manifests are signed with it. */
  readonly signer: Signer;
  /** Aborted when the command's time is up; a step passes it on to what it starts. */
  readonly signal: AbortSignal;
  /** What an earlier step of the procedure returned, also before a crash. Throws `internal` when it has not ended well. */
  outputOf<T>(step: Step<T>): T;
  /** True when the step has ended well, also before a crash. */
  hasEnded(step: Step): boolean;
  /** Says something to whoever watches. */
  note(text: string): void;
}

export type Probe = 'done' | 'not-done' | 'cannot-tell';

/** What a crash in the middle of the step, or right after it, comes to. */
type AfterCrash<T> =
  | {
      /** `undo`: everything is undone. `repeat`: it is done again, since doing it twice is the same as doing it once. */
      afterCrash: 'undo' | 'repeat';
      /** What `run` returns for later steps, `undo` and recovery; JSON. Recovery parses what the record has of it. */
      output?: z.ZodType<T>;
    }
  | {
      /** Its probe decides: go on, undo, or say that nobody can tell. */
      afterCrash: 'ask';
      /** Finds out, read-only, whether it happened. */
      probe(context: StepContext): Promise<Probe>;
      /** A probe can't tell what the step would have returned. */
      output?: never;
    };

interface StepBody<T> {
  name: string;
  /** What it would do, for a dry run: program and arguments where there are some. */
  describe(): string;
  run(context: StepContext): Promise<StepOutcome<NoInfer<T>>>;
  /** For a dry run, one line each: what exactly it would act on, looked up and nothing changed. */
  foresee?(context: Pick<StepContext, 'envelope' | 'policy' | 'signal'>): Promise<string[]>;
  /** Takes it back; must be harmless when the step never happened or was undone before. */
  undo?(context: StepContext): Promise<void>;
  /** True when the work stands without it: it is begun although the time is up, and its failure is told and undoes nothing. */
  takesNothingBack?: true;
}

export type Step<T = unknown> = StepBody<T> & AfterCrash<T>;

export type StepOutcome<T> = {
  /** One line for people. */
  detail?: string;
} & (undefined extends T ? { data?: T } : { data: T });

/** A step whose data has the type of its `output`; without an `output` it returns none. */
export function defineStep<T = undefined>(step: Step<T>): Step<T> {
  return step;
}

export interface Procedure<R = unknown> {
  steps: readonly Step[];
  /** The operation's result, from what the steps returned. What it throws has everything undone. */
  result(context: StepContext): R;
  /** Asked when all steps have ended well: a failure all the same, where their work stands but is not all that was asked for. */
  shortfall?(context: StepContext): Shortfall | undefined;
}

/** What is missing; nothing is undone for it, and the result is told all the same. */
export interface Shortfall {
  code: OutcomeCode;
  message: string;
  hint?: string;
}
