import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { markCancelled, pruneMarks, readCancel } from '#agent/runner/cancel.ts';
import { recoverProcedure } from '#agent/runner/recover.ts';
import { defineStep, type Probe, type Step } from '#agent/runner/step.ts';
import type { StepEntry } from '#agent/runner/step-record.ts';
import type { Ending, Execution } from '#agent/runner/steps.ts';
import { CommandEnvelope, commandTimeMs } from '#shared/command/envelope.ts';
import { CommandId } from '#shared/names.ts';
import { Policy } from '#shared/policy/policy.ts';
import { makeEnvelope } from '#test/fixtures/agent-host.ts';

const BY = { by: CommandId.parse('0197c2aa-0000-7000-8000-000000000009'), actor: 'token ops' };

let done: string[];
beforeEach(() => {
  done = [];
});

function note(text: string): Promise<void> {
  done.push(text);
  return Promise.resolve();
}

/** A step that notes what is done with it. */
function step(name: string, change: Partial<Step<undefined>> = {}): Step<undefined> {
  return defineStep({
    name,
    describe: () => name,
    run: async () => {
      await note(name);
      return {};
    },
    undo: () => note(`undo ${name}`),
    afterCrash: 'repeat',
    ...change,
  } as Step<undefined>);
}

function withoutUndo(name: string, answer: Probe): Step<undefined> {
  const { undo: _none, ...rest } = step(name);
  return { ...rest, afterCrash: 'ask', probe: () => Promise.resolve(answer) } as Step<undefined>;
}

const entry = (seq: number, name: string, phase: StepEntry['phase'], ok?: boolean): StepEntry => ({
  seq,
  at: '2026-11-23T10:00:00.000Z',
  step: name,
  phase,
  ...(ok === undefined ? {} : { ok }),
});
const inB = [entry(1, 'a', 'begin'), entry(2, 'a', 'end', true), entry(3, 'b', 'begin')];
const afterB = [...inB, entry(4, 'b', 'end', true)];

async function recoverCancelled(steps: Step[], before: StepEntry[]): Promise<Ending> {
  const execution: Execution = {
    procedure: { steps, result: () => 'result' },
    context: {
      envelope: CommandEnvelope.parse(makeEnvelope({})),
      policy: Policy.parse({ version: 1, host: 'web-1', operations: [], units: {} }),
      signer: { keyId: 'k', sign: () => Promise.resolve(new Uint8Array()) },
      signal: new AbortController().signal,
    },
    writer: { write: () => undefined },
    before,
    onStuck: () => undefined,
  };
  return await recoverProcedure(execution, BY);
}

const TAIL = step('c', { takesNothingBack: true });
const UNDONE = ['undo b', 'undo a'];

describe('a command that was stopped for a cancel', () => {
  test.each<[string, StepEntry[], Step[], string[], Partial<Ending>]>([
    [
      'in a step: undoes it and those before',
      inB,
      [step('b'), step('c')],
      UNDONE,
      {
        state: 'cancelled',
        code: 'cancelled',
        message: 'cancelled by token ops in b; everything was put back',
      },
    ],
    ['after a step: undoes', afterB, [step('b'), step('c')], UNDONE, { state: 'cancelled' }],
    [
      'in a step that nothing can undo, which happened: says so',
      inB,
      [withoutUndo('b', 'done'), step('c')],
      ['undo a'],
      {
        state: 'cancelled',
        message: 'cancelled by token ops in b, which had happened already; everything was put back',
      },
    ],
    [
      'in a step that nothing can undo, which did not happen: says so',
      inB,
      [withoutUndo('b', 'not-done'), step('c')],
      ['undo a'],
      { state: 'cancelled', message: expect.stringContaining('in b, which did not happen') },
    ],
    [
      'in a step of which nothing can tell: unknown',
      inB,
      [withoutUndo('b', 'cannot-tell'), step('c')],
      ['undo a'],
      { state: 'unknown', code: 'cancelled' },
    ],
    [
      'when all its work was done: finishes what is left',
      [...afterB, entry(5, 'c', 'begin')],
      [step('b'), TAIL],
      ['c'],
      { state: 'succeeded' },
    ],
    [
      'while it was put back for a failure of its own: the failure stays the reason',
      [...inB, { ...entry(4, 'b', 'end', false), detail: 'disk full' }],
      [step('b'), step('c')],
      UNDONE,
      { state: 'failed', code: 'step-failed', message: 'b: disk full; everything was put back' },
    ],
    [
      'after a step failed that takes nothing back: undoes all the same',
      [entry(1, 'c', 'begin'), entry(2, 'c', 'end', false), entry(3, 'b', 'begin')],
      [TAIL, step('b')],
      ['undo b', 'undo c', 'undo a'],
      { state: 'cancelled' },
    ],
    [
      'while it was being undone for the cancel: undoes all of it again',
      [...inB, entry(4, 'b', 'undo-begin')],
      [step('b'), step('c')],
      UNDONE,
      { state: 'cancelled' },
    ],
  ])('%s', async (_name, before, rest, did, ending) => {
    expect(await recoverCancelled([step('a'), ...rest], before)).toMatchObject(ending);
    expect(done).toEqual(did);
  });

  test('is a failure when something could not be put back', async () => {
    const stuck = step('b', { undo: () => Promise.reject(new Error('in use')) });
    expect(await recoverCancelled([step('a'), stuck], inB)).toMatchObject({
      state: 'failed',
      code: 'cancelled',
      message: 'cancelled by token ops in b; could not be put back: b: in use',
    });
  });
});

test('the first mark of a command stays, and goes when the command is old enough', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-marks-'));
  const id = CommandId.parse('0197c2aa-0000-7000-8000-000000000001');
  try {
    expect(readCancel(dir, id)).toBeUndefined();
    pruneMarks(dir, Number.POSITIVE_INFINITY);
    markCancelled(dir, id, BY);
    markCancelled(dir, id, { ...BY, actor: 'token other' });
    pruneMarks(dir, commandTimeMs(id));
    expect(readCancel(dir, id)).toEqual(BY);
    pruneMarks(dir, commandTimeMs(id) + 1);
    expect(readCancel(dir, id)).toBeUndefined();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
