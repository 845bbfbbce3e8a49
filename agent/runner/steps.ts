// A procedure as a list of steps, and its execution: recorded before and after each, undone in reverse when one fails.
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { type FinishedReport, OutcomeCode } from '#shared/command/report.ts';
import { hintOf, LamplighterError, messageOf } from '#shared/errors.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { Signer } from '#shared/signing/dsse.ts';
import { redact, redactLines } from '../host/redact.ts';
import type { StepEntry, StepWriter } from './step-record.ts';

/** What steps work with. */
export interface StepContext {
  readonly envelope: CommandEnvelope;
  readonly policy: Policy;
  /** The host's runner key: manifests are signed with it. */
  readonly signer: Signer;
  /** Aborted when the command's time is up; a step passes it on to what it starts. */
  readonly signal: AbortSignal;
  /** What earlier steps returned, by step name; survives a crash. */
  readonly data: ReadonlyMap<string, unknown>;
  /** Says something to whoever watches. */
  note(text: string): void;
}

export type Probe = 'done' | 'not-done' | 'cannot-tell';

export interface Step {
  name: string;
  /** What it would do, for a dry run: program and arguments where there are some. */
  describe(): string;
  /** Does it. What it returns (JSON) is kept for later steps, `undo` and recovery. */
  run(context: StepContext): Promise<StepOutcome>;
  /** Takes it back; must be harmless when the step never happened or was undone before. */
  undo?(context: StepContext): Promise<void>;
  /** True when doing it twice is the same as doing it once: after a crash it is simply done again. */
  isRepeatable?: true;
  /** True when the work stands without it: it is begun although the time is up, and its failure is told and undoes nothing. */
  takesNothingBack?: true;
  /** Finds out, read-only, whether it happened; asked after a crash in the middle of a step that is not repeatable. */
  probe?(context: StepContext): Promise<Probe>;
}

export interface StepOutcome {
  data?: unknown;
  /** One line for people. */
  detail?: string;
}

export interface Procedure {
  steps: readonly Step[];
  /** The operation's result, from what the steps returned. What it throws has everything undone. */
  result(context: StepContext): unknown;
  /** Asked when all steps have ended well: a failure all the same, where their work stands but is not all that was asked for. */
  shortfall?(context: StepContext): Shortfall | undefined;
  /** After a crash in this step: go on when its probe says it happened, or undo. Default: go on. */
  afterCrash?(step: string): 'go-on' | 'undo';
}

/** What is missing; nothing is undone for it, and the result is told all the same. */
export interface Shortfall {
  code: OutcomeCode;
  message: string;
  hint?: string;
}

export type Ending = Pick<FinishedReport, 'state' | 'code' | 'message' | 'hint' | 'result' | 'output'>;

export interface Execution {
  procedure: Procedure;
  context: Omit<StepContext, 'data' | 'note'>;
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

export interface Progress {
  context: StepContext;
  data: Map<string, unknown>;
  writer: StepWriter;
  onStuck(step: string): void;
}

export function openProgress({ context, writer, before, onStuck }: Execution): Progress {
  const data = new Map(
    before
      .filter(({ phase, ok }) => phase === 'end' && ok !== false)
      .map((entry) => [entry.step, entry.data]),
  );
  let current = '';
  const tracking: StepWriter = {
    write: (entry) => {
      current = entry.step;
      writer.write(entry);
    },
  };
  const note = (text: string): void => writer.write({ step: current, phase: 'note', detail: brief(text) });
  return { context: { ...context, data, note }, data, writer: tracking, onStuck };
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
  { context, data, writer, onStuck }: Progress,
): Promise<{ thrown: unknown } | undefined> {
  const release = watchStop(context.signal, () => onStuck(step.name));
  try {
    // Not begun unless that is on record.
    writer.write({ step: step.name, phase: 'begin' });
    if (!step.takesNothingBack) context.signal.throwIfAborted();
    const outcome = await step.run(context);
    data.set(step.name, outcome.data);
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

/** Undoes, and says for people what came of it. */
export async function undoAndTell(procedure: Procedure, progress: Progress, last: number): Promise<string> {
  const canUndo = procedure.steps.slice(0, last + 1).some(({ undo }) => undo);
  const failures = await undoSteps(procedure, progress, last);
  if (failures.length > 0) return `; could not be put back: ${failures.join('; ')}`;
  return canUndo ? '; everything was put back' : '';
}

async function takeBack(
  procedure: Procedure,
  progress: Progress,
  at: number,
  { thrown }: { thrown: unknown },
): Promise<Ending> {
  const aftermath = await undoAndTell(procedure, progress, at);
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
  const named = thrown instanceof LamplighterError ? thrown.details.outcome : undefined;
  return OutcomeCode.safeParse(named).data ?? 'step-failed';
}

function outputOf(thrown: unknown): Pick<Ending, 'output'> {
  const output = thrown instanceof LamplighterError ? thrown.details.output : undefined;
  if (!Array.isArray(output)) return {};
  return {
    output: redactLines(output.filter((line) => typeof line === 'string')).slice(-200),
  };
}
