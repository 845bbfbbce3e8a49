// After a runner ended without a report: what an interrupted procedure comes to.

import type { StepEntry } from './step-record.ts';
import {
  brief,
  type Ending,
  type Execution,
  openProgress,
  type Procedure,
  type Progress,
  runFrom,
  type Step,
  undoSteps,
} from './steps.ts';

/** Goes on, undoes, or says honestly that nobody can tell. */
export async function recoverProcedure(execution: Execution): Promise<Ending> {
  const { procedure, before } = execution;
  const progress = openProgress(execution);
  const last = before.findLast(({ phase }) => phase === 'begin');
  const at = procedure.steps.findIndex(({ name }) => name === last?.step);
  const step = procedure.steps[at];
  if (!last || !step) return await runFrom(procedure, progress, 0);
  if (mustUndo(procedure, step, before, last)) return await undoAfterCrash(procedure, progress, at);
  if (endOf(before, last)?.ok === true) return await runFrom(procedure, progress, at + 1);
  if (step.isRepeatable) return await runFrom(procedure, progress, at);
  return await askProbe(procedure, progress, at, step);
}

function endOf(before: readonly StepEntry[], begin: StepEntry): StepEntry | undefined {
  return before.find(({ step, phase, seq }) => step === begin.step && phase === 'end' && seq > begin.seq);
}

function mustUndo(procedure: Procedure, step: Step, before: readonly StepEntry[], begin: StepEntry): boolean {
  if (before.some(({ phase }) => phase === 'undo-begin')) return true;
  if (endOf(before, begin)?.ok === false) return true;
  return procedure.afterCrash?.(step.name) === 'undo';
}

async function askProbe(procedure: Procedure, progress: Progress, at: number, step: Step): Promise<Ending> {
  const probe = (await step.probe?.(progress.context).catch(() => undefined)) ?? 'cannot-tell';
  progress.writer.write({
    step: step.name,
    phase: 'note',
    detail: `interrupted here; looked again: ${probe}`,
  });
  if (probe === 'not-done') return await undoAfterCrash(procedure, progress, at);
  if (probe === 'cannot-tell') {
    const message = `interrupted in ${step.name}, and nothing can tell whether it happened`;
    return { state: 'unknown', code: 'interrupted', message };
  }
  progress.writer.write({ step: step.name, phase: 'end', ok: true });
  return await runFrom(procedure, progress, at + 1);
}

async function undoAfterCrash(procedure: Procedure, progress: Progress, at: number): Promise<Ending> {
  const failures = await undoSteps(procedure, progress, at);
  const canUndo = procedure.steps.slice(0, at + 1).some(({ undo }) => undo);
  const aftermath =
    failures.length > 0
      ? `; could not be put back: ${failures.join('; ')}`
      : canUndo
        ? '; everything was put back'
        : '';
  const message = brief(`interrupted in ${procedure.steps[at]?.name ?? ''}${aftermath}`);
  return { state: 'failed', code: 'interrupted', message };
}
