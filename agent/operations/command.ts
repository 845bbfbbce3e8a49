// command.cancel: marks another command of this host, kills its runner with all that it started, and waits until the
// recovery, which systemd starts then, has undone what the command did.
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { FinishedReport } from '#shared/command/report.ts';
import { EndState } from '#shared/command/state.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { CommandId } from '#shared/names.ts';
import { commandCancel } from '#shared/operations/command.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { PATHS } from '../config/paths.ts';
import { killRunning } from '../host/systemd.ts';
import { markCancelled } from '../runner/cancel.ts';
import { defineStep, type Step } from '../runner/step.ts';
import { readReport, readRun, readSteps } from '../runner/step-record.ts';
import { defineProcedure } from './twin.ts';

const LOOK_MS = 250;

function parsePayload<T>(schema: z.ZodType<T>, { payload }: SignedBytes): T {
  return schema.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
}

/** Throws `refused` for the cancel of a cancel: both would wait for each other. */
function refuseCancels(id: CommandId): void {
  const run = readRun(PATHS.runs, id);
  if (!run || parsePayload(CommandEnvelope, run.signed).operation !== commandCancel.name) return;
  throw new LamplighterError('refused', `cancel command ${id}: it is a cancel itself`, {
    hint: 'Cancel the command that it is about, or ask for that one again.',
  });
}

function markStep(id: CommandId): Step<undefined> {
  return defineStep({
    name: 'mark',
    describe: () => `note on the disk that ${id} is cancelled: if it has not begun, it never will`,
    run: ({ envelope }) => {
      refuseCancels(id);
      const { kind, name } = envelope.actor;
      markCancelled(PATHS.runs, id, { by: envelope.id, actor: `${kind} ${name}` });
      return Promise.resolve({});
    },
    afterCrash: 'repeat',
  });
}

function stopStep(id: CommandId): Step<undefined> {
  return defineStep({
    name: 'stop',
    describe: () => `kill every process of ${id}, unless it has ended or is being put back`,
    run: async () => {
      const run = readRun(PATHS.runs, id);
      if (!run) return { detail: 'it has not come yet, and will not begin' };
      if (readReport(PATHS.runs, id)) return { detail: 'it had ended' };
      const isUndone = readSteps(PATHS.runs, id).some(({ phase }) => phase === 'undo-begin');
      if (isUndone) return { detail: 'it is being put back already' };
      await killRunning(`lamplighter-run@${run.owner}.service`);
      return {};
    },
    afterCrash: 'repeat',
  });
}

const Ended = z.object({ state: EndState });

function awaitStep(id: CommandId): Step<z.infer<typeof Ended>> {
  return defineStep({
    name: 'await-end',
    describe: () => `wait until what ${id} did is undone`,
    output: Ended,
    run: async ({ signal }) => {
      for (;;) {
        const report = readReport(PATHS.runs, id);
        if (report) {
          const { state, message } = parsePayload(FinishedReport, report);
          return { data: { state }, ...(message === undefined ? {} : { detail: message }) };
        }
        if (!readRun(PATHS.runs, id)) return { data: { state: 'cancelled' } };
        await sleep(LOOK_MS, undefined, { signal });
      }
    },
    afterCrash: 'repeat',
  });
}

export const twins = [
  defineProcedure(commandCancel, ({ command }) => {
    const ended = awaitStep(command);
    return {
      steps: [markStep(command), stopStep(command), ended],
      result: ({ outputOf }) => ({ command, ...outputOf(ended) }),
    };
  }),
];
