// The execution of a procedure: each step is recorded before and after it runs, and undone in reverse order when one fails.
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { type FinishedReport, OutcomeCode } from '#shared/command/report.ts';
import { hintOf, LamplighterError, messageOf } from '#shared/errors.ts';
import { describeFaults } from '#shared/plain-issue.ts';
import { redact, redactLines } from '../host/redact.ts';
import type { Procedure, Shortfall, Step, StepContext } from './step.ts';
import type { StepEntry, StepWriter } from './step-record.ts';

export type Ending = Pick<FinishedReport, 'state' | 'code' | 'message' | 'hint' | 'result' | 'output'>;

export interface Execution {
  procedure: Procedure;
  context: Omit<StepContext, keyof Outputs | 'note'>;
  writer: StepWriter;
  /** A step goes on although its time is long up: nothing short of ending the process, and all it started, stops it. */
  onStuck(step: string): void;
  /** Entries of an earlier, interrupted run. */
  before: readonly StepEntry[];
}

const MAX_DETAIL_LENGTH = 2000;
/** How long a step may take to stop once the command's time is up. */
const STOP_GRACE_MS = 60_000;

export function brief(text: string): string {
  return redact(text).slice(0, MAX_DETAIL_LENGTH);
}

/** The hint of what was thrown, as a report carries it. */
export function hintFor(thrown: unknown): { hint?: string } {
  const hint = hintOf(thrown);
  return hint === undefined ? {} : { hint: brief(hint) };
}

type Outputs = Pick<StepContext, 'outputOf' | 'hasEnded'>;

/** What a step has left, or why its record can't be read. */
type Kept = { data: unknown } | { fault: string };

export interface Progress {
  context: StepContext;
  kept: Map<Step, Kept>;
  writer: StepWriter;
  onStuck(step: string): void;
}

export function openProgress({ procedure, context, writer, before, onStuck }: Execution): Progress {
  const kept = new Map(
    procedure.steps.flatMap((step) => {
      const end = before.findLast((entry) => entry.step === step.name && isGoodEnd(entry));
      return end ? [[step, recall(step, end)] as const] : [];
    }),
  );
  let current = '';
  const tracking: StepWriter = {
    write: (entry) => {
      current = entry.step;
      writer.write(entry);
    },
  };
  const note = (text: string): void => writer.write({ step: current, phase: 'note', detail: brief(text) });
  return { context: { ...context, ...outputsOf(kept), note }, kept, writer: tracking, onStuck };
}

function isGoodEnd({ phase, ok }: StepEntry): boolean {
  return phase === 'end' && ok !== false;
}

/** An earlier version may have written it. A fault shows where the data is needed: the steps that need none are still undone. */
function recall({ output }: Step, { data }: StepEntry): Kept {
  const parsed = output?.safeParse(data);
  if (!parsed?.error) return { data: parsed?.data };
  return { fault: describeFaults(parsed.error, 'the record') };
}

function outputsOf(kept: ReadonlyMap<Step, Kept>): Outputs {
  return {
    hasEnded: (step) => kept.has(step),
    outputOf: <T>(step: Step<T>): T => {
      const found = kept.get(step) ?? { fault: 'it has not ended well' };
      // The step's own schema or its own `run` gave it.
      if ('data' in found) return found.data as T;
      throw new LamplighterError('internal', `read what step ${step.name} returned: ${found.fault}`);
    },
  };
}

/** Runs a procedure from its first step. */
export async function runProcedure(execution: Execution): Promise<Ending> {
  return await runFrom(execution.procedure, openProgress(execution), 0);
}

export async function runFrom(procedure: Procedure, progress: Progress, first: number): Promise<Ending> {
  for (const [i, step] of procedure.steps.entries()) {
    if (i < first) continue;
    const failure = await runStep(step, progress);
    if (failure && !step.takesNothingBack) return await takeBack(procedure, progress, i, failure);
  }
  try {
    try {
      const shortfall = procedure.shortfall?.(progress.context);
      const result = procedure.result(progress.context);
      return shortfall ? { ...tellShortfall(shortfall), result } : { state: 'succeeded', result };
    } catch (thrown) {
      // What can't be told can't be relied on: as if the last step had failed.
      return await takeBack(procedure, progress, procedure.steps.length - 1, { thrown });
    }
  } catch (thrown) {
    return { state: 'failed', code: codeOf(thrown), message: brief(messageOf(thrown)), ...hintFor(thrown) };
  }
}

function tellShortfall({ code, message, hint }: Shortfall): Ending {
  return {
    state: 'failed',
    code,
    message: brief(message),
    ...(hint === undefined ? {} : { hint: brief(hint) }),
  };
}

/** A disk that is full, as a restore may leave it, must not keep what was done from being put back: undoing makes room. */
export function writeIfPossible(writer: StepWriter, entry: Parameters<StepWriter['write']>[0]): void {
  try {
    writer.write(entry);
  } catch {
    // The record then lacks a line; the report tells the end.
  }
}

async function runStep(
  step: Step,
  { context, kept, writer, onStuck }: Progress,
): Promise<{ thrown: unknown } | undefined> {
  const release = watchStop(context.signal, () => onStuck(step.name));
  try {
    // Not begun unless that is on record.
    writer.write({ step: step.name, phase: 'begin' });
    if (!step.takesNothingBack) context.signal.throwIfAborted();
    const outcome = await step.run(context);
    kept.set(step, { data: outcome.data });
    const detail = outcome.detail === undefined ? {} : { detail: brief(outcome.detail) };
    writer.write({ step: step.name, phase: 'end', ok: true, data: outcome.data, ...detail });
    return undefined;
  } catch (thrown) {
    writeIfPossible(writer, {
      step: step.name,
      phase: 'end',
      ok: false,
      detail: brief(messageOf(thrown)),
      ...hintFor(thrown),
    });
    return { thrown };
  } finally {
    release();
  }
}

/** Calls `onStuck` when nobody released it for a while after the signal. */
function watchStop(signal: AbortSignal, onStuck: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    timer = setTimeout(onStuck, STOP_GRACE_MS);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return () => {
    signal.removeEventListener('abort', begin);
    clearTimeout(timer);
  };
}

/** Undoes the steps up to `last`, newest first; one that can't be undone does not keep the others from it. */
async function undoSteps(procedure: Procedure, progress: Progress, last: number): Promise<string[]> {
  const failures: string[] = [];
  // The command's own time may be up; putting things back has all the time it needs.
  const context = { ...progress.context, signal: new AbortController().signal };
  for (const step of procedure.steps.slice(0, last + 1).toReversed()) {
    if (!step.undo) continue;
    writeIfPossible(progress.writer, { step: step.name, phase: 'undo-begin' });
    try {
      await step.undo(context);
      writeIfPossible(progress.writer, { step: step.name, phase: 'undo-end', ok: true });
    } catch (thrown) {
      const hint = hintOf(thrown);
      failures.push(`${step.name}: ${messageOf(thrown)}${hint === undefined ? '' : ` (${hint})`}`);
      writeIfPossible(progress.writer, {
        step: step.name,
        phase: 'undo-end',
        ok: false,
        detail: brief(messageOf(thrown)),
      });
    }
  }
  return failures;
}

/** What came of undoing: as the end of a sentence for people, and whether all of it was put back. */
export interface Aftermath {
  text: string;
  isPutBack: boolean;
}

/** Undoes the steps up to `last`. */
export async function undoAndTell(
  procedure: Procedure,
  progress: Progress,
  last: number,
): Promise<Aftermath> {
  const canUndo = procedure.steps.slice(0, last + 1).some(({ undo }) => undo);
  const failures = await undoSteps(procedure, progress, last);
  if (failures.length > 0)
    return { text: `; could not be put back: ${failures.join('; ')}`, isPutBack: false };
  return { text: canUndo ? '; everything was put back' : '', isPutBack: true };
}

async function takeBack(
  procedure: Procedure,
  progress: Progress,
  at: number,
  { thrown }: { thrown: unknown },
): Promise<Ending> {
  const { text: aftermath } = await undoAndTell(procedure, progress, at);
  const step = procedure.steps[at]?.name ?? '';
  const isTimeUp = progress.context.signal.aborted;
  return {
    state: isTimeUp ? 'timed-out' : 'failed',
    code: isTimeUp ? 'timed-out' : codeOf(thrown),
    message: brief(`${step}: ${messageOf(thrown)}${aftermath}`),
    ...hintFor(thrown),
    ...outputOf(thrown),
  };
}

/** The outcome that the error names itself, or the general one. */
function codeOf(thrown: unknown): OutcomeCode {
  return thrown instanceof OperationFailure ? thrown.outcome : 'step-failed';
}

function outputOf(thrown: unknown): Pick<Ending, 'output'> {
  if (!(thrown instanceof OperationFailure) || thrown.output.length === 0) return {};
  return { output: redactLines([...thrown.output]).slice(-200) };
}
