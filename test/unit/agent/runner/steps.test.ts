import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { recoverProcedure } from '#agent/runner/recover.ts';
import { defineStep, type Procedure, type Step, type StepContext } from '#agent/runner/step.ts';
import type { StepEntry } from '#agent/runner/step-record.ts';
import { type Execution, runProcedure } from '#agent/runner/steps.ts';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { LamplighterError } from '#shared/errors.ts';
import { Policy } from '#shared/policy/policy.ts';

const AT = '2026-11-23T10:00:00.000Z';
const envelope = CommandEnvelope.parse({
  v: 1,
  id: '0197c2aa-0000-7000-8000-000000000001',
  host: 'web-1',
  operation: 'service.restart',
  params: {},
  spec: {},
  dryRun: false,
  actor: { kind: 'token', name: 'alice', role: 'operator' },
  runbookVersion: 1,
  issuedAt: AT,
  expiresAt: AT,
  timeoutMs: 1000,
});
const policy = Policy.parse({ version: 1, host: 'web-1', operations: [], units: {} });
const signer = { keyId: 'k', sign: () => Promise.resolve(new Uint8Array()) };

let done: string[];
beforeEach(() => {
  done = [];
});
afterEach(() => {
  vi.useRealTimers();
});

type Change = Partial<Pick<Step<string>, 'run' | 'undo' | 'takesNothingBack' | 'afterCrash'>>;

function body(name: string) {
  return {
    name,
    describe: () => name,
    undo: () => {
      done.push(`undo ${name}`);
      return Promise.resolve();
    },
  };
}

/** A step that notes that it ran, and that it was undone. */
function step(name: string, change: Change = {}): Step<string> {
  return {
    ...body(name),
    output: z.string(),
    run: () => {
      done.push(name);
      return Promise.resolve({ data: `${name}-data` });
    },
    afterCrash: 'undo',
    ...change,
  } as Step<string>;
}

/** A step whose probe tells whether it happened. */
function probed(name: string, probe: () => Promise<'done' | 'not-done' | 'cannot-tell'>): Step {
  const run = () => {
    done.push(name);
    return Promise.resolve({});
  };
  return { ...body(name), run, afterCrash: 'ask', probe };
}

const hinted = () => new LamplighterError('failed', 'disk is full', { hint: 'Make room.' });
const failing = (error: unknown): Change => ({ run: () => Promise.reject(error) });

function execution(procedure: Procedure, before: StepEntry[] = [], signal = new AbortController().signal) {
  const written: string[] = [];
  const run: Execution = {
    procedure,
    context: { envelope, policy, signer, signal },
    writer: {
      write: ({ step: name, phase, ok }) => written.push(`${name} ${phase}${ok === false ? ' failed' : ''}`),
    },
    before,
    onStuck: (name) => done.push(`stuck in ${name}`),
  };
  return { run, written };
}

const procedure = (steps: Step[], change: Partial<Procedure> = {}): Procedure => ({
  steps,
  result: ({ hasEnded, outputOf }) =>
    Object.fromEntries(steps.filter(hasEnded).map((one) => [one.name, outputOf(one)])),
  ...change,
});

const entry = (seq: number, name: string, phase: StepEntry['phase'], ok?: boolean): StepEntry => ({
  seq,
  at: AT,
  step: name,
  phase,
  ...(ok === undefined ? {} : { ok }),
  ...(ok ? { data: `${name}-data` } : {}),
});

describe('run', () => {
  test('each step in order, recorded before and after; later steps see what earlier ones returned', async () => {
    const { run, written } = execution(procedure([step('a'), step('b')]));
    expect(await runProcedure(run)).toEqual({ state: 'succeeded', result: { a: 'a-data', b: 'b-data' } });
    expect(done).toEqual(['a', 'b']);
    expect(written).toEqual(['a begin', 'a end', 'b begin', 'b end']);
  });

  test('a step that fails is undone too, and those before it, newest first', async () => {
    const steps = [step('a'), step('b'), step('c', failing(new Error('no'))), step('d')];
    const { run, written } = execution(procedure(steps));
    expect(await runProcedure(run)).toMatchObject({
      state: 'failed',
      code: 'step-failed',
      message: 'c: no; everything was put back',
    });
    expect(done).toEqual(['a', 'b', 'undo c', 'undo b', 'undo a']);
    expect(written.slice(5)).toEqual([
      'c end failed',
      'c undo-begin',
      'c undo-end',
      'b undo-begin',
      'b undo-end',
      'a undo-begin',
      'a undo-end',
    ]);
  });

  test('work that stands but is not all that was asked for fails, and nothing is put back', async () => {
    const shortfall = () => ({ code: 'not-uploaded' as const, message: 'upload x: 503', hint: 'Wait.' });
    const { run } = execution(procedure([step('a'), step('b')], { shortfall }));
    expect(await runProcedure(run)).toEqual({
      state: 'failed',
      code: 'not-uploaded',
      message: 'upload x: 503',
      hint: 'Wait.',
      result: { a: 'a-data', b: 'b-data' },
    });
    expect(done).toEqual(['a', 'b']);
  });

  test.each([
    ['that fails', failing(new Error('no')), []],
    ['that begins when the time is up', {}, ['c']],
  ])('a step that takes nothing back, %s: the work stands', async (_name, change, did) => {
    const stop = new AbortController();
    const last = step('b', {
      run: () => {
        stop.abort();
        return Promise.resolve({ data: 'b-data' });
      },
    });
    const steps = [step('a'), last, step('c', { takesNothingBack: true, ...change })];
    const { run, written } = execution(procedure(steps), [], stop.signal);
    expect(await runProcedure(run)).toMatchObject({ state: 'succeeded', result: { a: 'a-data' } });
    expect(done).toEqual(['a', ...did]);
    expect(written.at(-1)).toBe(did.length === 0 ? 'c end failed' : 'c end');
  });

  test.each([
    ['its own', new LamplighterError('failed', 'no', { hint: 'Make room.' })],
    ['that of its cause', new LamplighterError('failed', 'no', { cause: hinted() })],
    ['that of a cause of an error of another kind', new Error('no', { cause: hinted() })],
  ])('a step that fails gives its hint to the report: %s', async (_name, error) => {
    const { run } = execution(procedure([step('a', failing(error))]));
    expect(await runProcedure(run)).toMatchObject({ state: 'failed', hint: 'Make room.' });
  });

  test('a secret in a hint does not leave the host', async () => {
    const error = new LamplighterError('failed', 'no', { hint: 'Set PASSWORD=hunter2hunter2 anew.' });
    const { run } = execution(procedure([step('a', failing(error))]));
    expect(JSON.stringify(await runProcedure(run))).not.toContain('hunter2');
  });

  test('what an undo says to do stands with its failure', async () => {
    const undo = () => Promise.reject(new LamplighterError('failed', 'locked', { hint: 'Rename it back.' }));
    const { run } = execution(procedure([step('a', { ...failing(new Error('no')), undo })]));
    expect(await runProcedure(run)).toMatchObject({
      message: 'a: no; could not be put back: a: locked (Rename it back.)',
    });
  });

  test.each(['b begin', 'b end', 'a undo-begin'])(
    'a record that can not be written (%s) undoes all the same',
    async (line) => {
      const steps = [
        step('a'),
        step('b'),
        ...(line === 'a undo-begin' ? [step('c', failing(new Error('no')))] : []),
      ];
      const { run } = execution(procedure(steps));
      const { write } = run.writer;
      run.writer.write = (entry) => {
        if (`${entry.step} ${entry.phase}` === line) throw new Error('ENOSPC: no space left on device');
        write(entry);
      };
      expect(await runProcedure(run)).toMatchObject({
        state: 'failed',
        message: expect.stringContaining('everything was put back'),
      });
      expect(done.at(-1)).toBe('undo a');
    },
  );

  test('an undo that fails is told and does not keep the others from it', async () => {
    const stubborn = step('b', { undo: () => Promise.reject(new Error('stuck disk')) });
    const { run } = execution(procedure([step('a'), stubborn, step('c', failing(new Error('no')))]));
    expect(await runProcedure(run)).toMatchObject({
      state: 'failed',
      message: 'c: no; could not be put back: b: stuck disk',
    });
    expect(done).toContain('undo a');
  });

  test('a failure carries its code and its output, without secrets', async () => {
    const error = new OperationFailure('unhealthy', 'failed', 'it is down', {
      output: ['PASSWORD=hunter2', 'fine'],
    });
    const { run } = execution(procedure([step('a', { ...failing(error), undo: undefined as never })]));
    expect(await runProcedure(run)).toEqual({
      state: 'failed',
      code: 'unhealthy',
      message: 'a: it is down',
      output: ['PASSWORD=[REDACTED]', 'fine'],
    });
  });

  test('when the time is up the rest is not begun, and what was done is put back without a limit', async () => {
    const stop = new AbortController();
    const slow = step('a', {
      run: () => {
        stop.abort();
        return Promise.resolve({ data: '' });
      },
    });
    const { run } = execution(procedure([slow, step('b')]), [], stop.signal);
    expect(await runProcedure(run)).toMatchObject({ state: 'timed-out', code: 'timed-out' });
    expect(done).toEqual(['undo b', 'undo a']);
  });

  test('a step that goes on a minute after its time is up ends the runner', async () => {
    vi.useFakeTimers();
    const stop = new AbortController();
    const deaf = step('deaf', { run: () => new Promise(() => undefined) });
    const { run } = execution(procedure([deaf]), [], stop.signal);
    void runProcedure(run);
    await vi.advanceTimersByTimeAsync(10);
    stop.abort();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(done).toEqual(['stuck in deaf']);
  });
});

describe('recovery after a crash', () => {
  const answering = (answer: 'done' | 'not-done' | 'cannot-tell') =>
    probed('b', () => Promise.resolve(answer));
  const repeatable: Change = { afterCrash: 'repeat' };
  const inB = [entry(1, 'a', 'begin'), entry(2, 'a', 'end', true), entry(3, 'b', 'begin')];
  const failedInB = [...inB, entry(4, 'b', 'end', false)];

  test.each<[string, StepEntry[], Step, string[], string]>([
    ['after a step that stands: goes on with the next', inB.slice(0, 2), step('b'), ['b', 'c'], 'succeeded'],
    ['in a step that happened: goes on after it', inB, answering('done'), ['c'], 'succeeded'],
    ['in a step that may be done again: does it', inB, step('b', repeatable), ['b', 'c'], 'succeeded'],
    ['in a step that did not happen: undoes', inB, answering('not-done'), ['undo b', 'undo a'], 'failed'],
    ['in a step that nobody can tell of: says so', inB, answering('cannot-tell'), [], 'unknown'],
    ['in a step that is to be undone: undoes', inB, step('b'), ['undo b', 'undo a'], 'failed'],
    [
      'after a step that is to be undone: undoes',
      [...inB, entry(4, 'b', 'end', true)],
      step('b'),
      ['undo b', 'undo a'],
      'failed',
    ],
    ['after a step failed: undoes', failedInB, step('b', repeatable), ['undo b', 'undo a'], 'failed'],
    [
      'after a step failed that takes nothing back: goes on with the next',
      failedInB,
      step('b', { takesNothingBack: true }),
      ['c'],
      'succeeded',
    ],
    [
      'while undoing: undoes all of it again',
      [...failedInB, entry(5, 'b', 'undo-begin')],
      answering('done'),
      ['undo b', 'undo a'],
      'failed',
    ],
  ])('%s', async (_name, before, b, did, state) => {
    const { run } = execution(procedure([step('a', repeatable), b, step('c')]), before);
    expect(await recoverProcedure(run)).toMatchObject({ state });
    expect(done).toEqual(did);
  });

  test('the result is whole: what the interrupted run had returned counts', async () => {
    const { run } = execution(procedure([step('a', repeatable), step('b')]), inB.slice(0, 2));
    expect(await recoverProcedure(run)).toMatchObject({ result: { a: 'a-data', b: 'b-data' } });
  });

  test('what a step returned before the crash has its own type after it', async () => {
    const At = z.object({ at: z.coerce.date(), isNew: z.boolean().default(false) });
    const run = () => Promise.resolve({ data: { at: new Date(), isNew: true } });
    const first = defineStep({ ...body('a'), output: At, run, afterCrash: 'repeat' });
    const before = [inB[0]!, { ...inB[1]!, data: { at: AT } }];
    const result = ({ outputOf }: StepContext) => outputOf(first);
    const recovery = execution(procedure([first], { result }), before);
    // A record of an earlier version lacks the field.
    const ending = await recoverProcedure(recovery.run);
    expect(ending.result).toEqual({ at: new Date(AT), isNew: false });
  });

  test('what an earlier version recorded in another form keeps only those steps that need it from being undone', async () => {
    const first = step('a');
    const undo = ({ outputOf }: StepContext) => Promise.resolve(void done.push(outputOf(first)));
    const before = [entry(1, 'a', 'begin'), { ...entry(2, 'a', 'end', true), data: 7 }, inB[2]!];
    const { run } = execution(procedure([first, step('b', { undo })]), before);
    expect(await recoverProcedure(run)).toMatchObject({
      state: 'failed',
      message:
        'interrupted in b; could not be put back: b: read what step a returned: the record: it must be a text',
    });
    expect(done).toEqual(['undo a']);
  });

  test('the reason is the interruption, and the step is told', async () => {
    const { run } = execution(procedure([step('a'), step('b')]), inB);
    expect(await recoverProcedure(run)).toMatchObject({
      code: 'interrupted',
      message: 'interrupted in b; everything was put back',
    });
  });

  test('what made it fail before the crash stays the reason', async () => {
    const before = [...inB, { ...entry(4, 'b', 'end', false), detail: 'disk full' }];
    const { run } = execution(procedure([step('a'), step('b')]), before);
    expect(await recoverProcedure(run)).toMatchObject({
      code: 'step-failed',
      message: 'b: disk full; everything was put back',
    });
  });

  test('a step that this version does not know is never done over from the start', async () => {
    const { run } = execution(procedure([step('a'), step('z')]), inB);
    expect(await recoverProcedure(run)).toMatchObject({ state: 'unknown' });
    expect(done).toEqual([]);
  });

  test('a probe that fails is asked again by later recoveries, and at last its reason is told', async () => {
    const probe = vi.fn(() => Promise.reject(new Error('the database system is starting up')));
    const all = procedure([step('a'), probed('b', probe)]);
    const before = [...inB];
    for (let i = 0; i < 5; i += 1) {
      const { run } = execution(all, before);
      run.writer.write = (line) => before.push({ seq: before.length + 1, at: AT, ...line });
      await expect(recoverProcedure(run)).rejects.toThrow('starting up');
    }
    expect(await recoverProcedure(execution(all, before).run)).toMatchObject({
      state: 'unknown',
      message: expect.stringMatching(/5 recoveries did not end it; could not look .*starting up$/),
    });
    expect(probe).toHaveBeenCalledTimes(5);
    expect(done).toEqual([]);
  });

  test('a recovery that is itself interrupted each time gives up', async () => {
    const note = (seq: number): StepEntry => ({
      ...entry(seq, 'b', 'note'),
      detail: 'interrupted here; taken up again',
    });
    const before = [...inB, ...[4, 5, 6, 7, 8].map(note)];
    const { run } = execution(procedure([step('a'), step('b', repeatable)]), before);
    expect(await recoverProcedure(run)).toMatchObject({ state: 'unknown', code: 'interrupted' });
    expect(done).toEqual([]);
  });
});

test('a result that can not be told after the last step puts everything back', async () => {
  const result = () => {
    throw new Error('no such manifest');
  };
  const { run } = execution(procedure([step('a'), step('b')], { result }));
  const ending = await runProcedure(run);
  expect(ending).toMatchObject({ state: 'failed', code: 'step-failed' });
  expect(ending.message).toMatch(/no such manifest; everything was put back/);
  expect(done).toEqual(['a', 'b', 'undo b', 'undo a']);
});
