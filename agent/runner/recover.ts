// After a runner ended without a report: what an interrupted procedure comes to.
import { messageOf } from '#shared/errors.ts';
import type { CancelMark } from './cancel.ts';
import type { Probe, Procedure, Step } from './step.ts';
import type { StepEntry } from './step-record.ts';
import {
  brief,
  type Ending,
  type Execution,
  openProgress,
  type Progress,
  runFrom,
  undoAndTell,
  writeIfPossible,
} from './steps.ts';

const TAKEN_UP = 'interrupted here; taken up again';
const CANCELLED = 'cancelled here; what was done is undone';
const NOT_LOOKED = 'could not look whether it happened: ';
/** What ends the recovery itself each time, or keeps it from an end, must not be done for ever. Ten minutes lie between two. */
const MAX_RECOVERIES = 5;

function tellUnknown(message: string): Ending {
  return { state: 'unknown', code: 'interrupted', message: brief(message) };
}

/**
 * Goes on, undoes, or says honestly that nobody can tell. At least one step must have begun. With a `cancel` mark it undoes,
 * unless the work is done. Throws what a probe throws, since what it asks may be starting: the recovery is then taken up
 * again.
 */
export async function recoverProcedure(execution: Execution, cancel?: CancelMark): Promise<Ending> {
  const { procedure, before } = execution;
  const progress = openProgress(execution);
  const last = before.findLast(({ phase }) => phase === 'begin');
  const at = procedure.steps.findIndex(({ name }) => name === last?.step);
  const step = procedure.steps[at];
  if (!last || !step) {
    return tellUnknown(`interrupted in ${last?.step ?? 'no step'}, which this version does not know`);
  }
  const attempts = before.filter(({ detail }) => detail === TAKEN_UP || detail === CANCELLED).length;
  if (attempts >= MAX_RECOVERIES)
    return tellUnknown(
      `interrupted in ${step.name}; ${attempts} recoveries did not end it${tellLastLook(before)}`,
    );
  const isCancelled = cancel !== undefined && isCancellable(procedure, before);
  const detail = isCancelled ? CANCELLED : TAKEN_UP;
  writeIfPossible(progress.writer, { step: step.name, phase: 'note', detail });
  if (isCancelled) return await cancelAt(procedure, progress, { at, before, last }, cancel);
  if (mustUndo(step, before, last)) return await undoAfterCrash(procedure, progress, at, before);
  if (endOf(before, last)) return await runFrom(procedure, progress, at + 1);
  if (step.afterCrash === 'ask') return await askProbe(procedure, progress, at, step);
  return await runFrom(procedure, progress, at);
}

function endOf(before: readonly StepEntry[], begin: StepEntry): StepEntry | undefined {
  return before.find(({ step, phase, seq }) => step === begin.step && phase === 'end' && seq > begin.seq);
}

function mustUndo(step: Step, before: readonly StepEntry[], begin: StepEntry): boolean {
  if (before.some(({ phase }) => phase === 'undo-begin')) return true;
  if (endOf(before, begin)?.ok === false) return !step.takesNothingBack;
  return step.afterCrash === 'undo';
}

function tellLastLook(before: readonly StepEntry[]): string {
  const last = before.findLast(({ detail }) => detail?.startsWith(NOT_LOOKED));
  return last?.detail === undefined ? '' : `; ${last.detail}`;
}

type Asked = Extract<Step, { afterCrash: 'ask' }>;

async function look(step: Asked, { context, writer }: Progress): Promise<Probe> {
  try {
    return await step.probe(context);
  } catch (error) {
    writeIfPossible(writer, {
      step: step.name,
      phase: 'note',
      detail: brief(`${NOT_LOOKED}${messageOf(error)}`),
    });
    throw error;
  }
}

async function askProbe(procedure: Procedure, progress: Progress, at: number, step: Asked): Promise<Ending> {
  const probe = await look(step, progress);
  writeIfPossible(progress.writer, {
    step: step.name,
    phase: 'note',
    detail: `looked whether it happened: ${probe}`,
  });
  if (probe === 'not-done') return await undoAfterCrash(procedure, progress, at, []);
  if (probe === 'cannot-tell') {
    return tellUnknown(`interrupted in ${step.name}, and nothing can tell whether it happened`);
  }
  writeIfPossible(progress.writer, { step: step.name, phase: 'end', ok: true });
  return await runFrom(procedure, progress, at + 1);
}

async function undoAfterCrash(
  procedure: Procedure,
  progress: Progress,
  at: number,
  before: readonly StepEntry[],
): Promise<Ending> {
  const { text: aftermath } = await undoAndTell(procedure, progress, at);
  const failed = before.find(({ phase, ok }) => phase === 'end' && ok === false);
  // It had failed by itself and was cut short while it was being put back: the reason is the failure.
  if (failed) {
    const message = brief(`${failed.step}: ${failed.detail ?? 'failed'}${aftermath}`);
    const hint = failed.hint === undefined ? {} : { hint: failed.hint };
    return { state: 'failed', code: 'step-failed', message, ...hint };
  }
  const message = brief(`interrupted in ${procedure.steps[at]?.name ?? ''}${aftermath}`);
  return { state: 'failed', code: 'interrupted', message };
}

/** Where the procedure was stopped. */
interface Stopped {
  at: number;
  before: readonly StepEntry[];
  last: StepEntry;
}

/** Undoes what was done, and says of the step in which it was stopped whether that happened. */
async function cancelAt(
  procedure: Procedure,
  progress: Progress,
  { at, before, last }: Stopped,
  { actor }: CancelMark,
): Promise<Ending> {
  const step = procedure.steps[at];
  const isOpen = step?.afterCrash === 'ask' && !step.undo && !endOf(before, last);
  // The step may hang, and a person waits for the cancel: a probe that does not end in time counts as one that can't tell.
  const context = { ...progress.context, signal: AbortSignal.timeout(CANCEL_LOOK_MS) };
  const probe = isOpen ? await look(step, { ...progress, context }) : undefined;
  const { text, isPutBack } = await undoAndTell(procedure, progress, at);
  const happened = probe === undefined ? '' : HAPPENED[probe];
  const message = brief(`cancelled by ${actor} in ${last.step}${happened}${text}`);
  if (!isPutBack) return { state: 'failed', code: 'cancelled', message };
  return { state: probe === 'cannot-tell' ? 'unknown' : 'cancelled', code: 'cancelled', message };
}

const CANCEL_LOOK_MS = 5000;
const HAPPENED: Record<Probe, string> = {
  done: ', which had happened already',
  'not-done': ', which did not happen',
  'cannot-tell': ', and nothing can tell whether it happened',
};

/**
 * True while a cancel takes the work back: no longer when all of it is done and only steps are left that take nothing back,
 * nor when it is being put back for a failure of its own.
 */
function isCancellable({ steps }: Procedure, entries: readonly StepEntry[]): boolean {
  const work = new Set(steps.flatMap(({ name, takesNothingBack }) => (takesNothingBack ? [] : [name])));
  const ends = entries.filter(({ step, phase }) => phase === 'end' && work.has(step));
  if (ends.some(({ ok }) => ok === false)) return false;
  const done = new Set(ends.map(({ step }) => step));
  return [...work].some((name) => !done.has(name));
}
