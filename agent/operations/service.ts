// service.*: what is done about a systemd unit.
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import {
  type LogLine,
  serviceLogs,
  serviceReload,
  serviceRestart,
  serviceStart,
  serviceStatus,
  serviceStop,
} from '#shared/operations/service.ts';
import type { HealthCheck } from '#shared/runbook/schema.ts';
import { PATHS } from '../config/paths.ts';
import { askReader } from '../dispatch/ask-reader.ts';
import { awaitHealthy } from '../host/health.ts';
import { readLastLines } from '../host/journald.ts';
import { awaitSettled, controlArguments, controlUnit, readMoment, type UnitVerb } from '../host/systemd.ts';
import { describeMoment, restingStandOf, standOf, type UnitMoment } from '../host/unit-stand.ts';
import { readUnit } from '../host/unit-status.ts';
import type { Probe, Procedure, Step, StepContext } from '../runner/steps.ts';
import type { Plan, Read } from './twin.ts';

const JOURNAL_LINES = 50;

interface UnitSpec {
  unit: string;
  health: HealthCheck;
}

async function lastLines(unit: string): Promise<string[]> {
  return await readLastLines(unit, JOURNAL_LINES).catch(() => []);
}

/** Fails with the unit's last journal lines, which say why better than systemctl does. */
async function failWithJournal(
  unit: string,
  outcome: 'unhealthy' | 'step-failed',
  thrown: unknown,
): Promise<never> {
  const hint = thrown instanceof LamplighterError ? thrown.hint : undefined;
  throw new LamplighterError('failed', messageOf(thrown), {
    cause: thrown,
    details: { outcome, output: await lastLines(unit) },
    ...(hint === undefined ? {} : { hint }),
  });
}

function checkUnit({ unit }: UnitSpec): Step {
  return {
    name: 'check-unit',
    describe: () => `see that systemd knows ${unit}`,
    run: async () => {
      const moment = await readMoment(unit);
      if (moment.loadState !== 'loaded') {
        throw new LamplighterError('not-found', `find unit ${unit}: systemd says ${moment.loadState}`, {
          details: { outcome: 'unknown-unit' },
        });
      }
      const limits = [limitText(moment.startLimit, 'start'), limitText(moment.stopLimit, 'stop')].join(', ');
      return {
        data: { invocationId: moment.invocationId },
        detail: `${unit} is ${describeMoment(moment)}; systemd gives it ${limits}`,
      };
    },
    isRepeatable: true,
  };
}

function limitText(span: string, verb: string): string {
  return span === '' ? `no limit to ${verb}` : `${span} to ${verb}`;
}

const Before = z.object({ invocationId: z.string() });

/** Whether the verb took effect, from what the unit is at now and which start of it ran before. */
export function judgeAction(verb: UnitVerb, before: string | undefined, now: UnitMoment): Probe {
  switch (verb) {
    case 'reload':
      // It leaves no trace.
      return 'cannot-tell';
    case 'stop':
      if (now.isMoving) return 'cannot-tell';
      return restingStandOf(now) === 'up' ? 'not-done' : 'done';
    case 'start':
      return now.isMoving ? 'cannot-tell' : judgeStart(before, now, restingStandOf(now) === 'up');
    case 'restart':
      return before === undefined ? 'cannot-tell' : judgeRestart(before, now);
  }
}

function judgeRestart(before: string, now: UnitMoment): Probe {
  const isNewStart = now.invocationId !== '' && now.invocationId !== before;
  if (now.isMoving) return isNewStart ? 'done' : 'cannot-tell';
  return judgeStart(before, now, isNewStart && restingStandOf(now) === 'up');
}

/** `isUp`: it is up as it should be after this start. */
function judgeStart(before: string | undefined, now: UnitMoment, isUp: boolean): Probe {
  if (restingStandOf(now) !== 'done') return isUp ? 'done' : 'not-done';
  // A oneshot that ran to its end: this time, or an earlier one? systemd forgets it soon.
  if (before === undefined || now.invocationId === '') return 'cannot-tell';
  return now.invocationId === before ? 'not-done' : 'done';
}

async function probeAction(verb: UnitVerb, unit: string, context: StepContext): Promise<Probe> {
  const before = Before.safeParse(context.data.get('check-unit')).data?.invocationId;
  return judgeAction(verb, before, await awaitSettled(unit, context.signal));
}

function actOn({ unit }: UnitSpec, verb: UnitVerb): Step {
  return {
    name: verb,
    describe: () => `${PATHS.systemctl} ${controlArguments(verb, unit).join(' ')}`,
    run: async ({ signal, envelope }) => {
      // systemd's own limits for the unit decide when it has failed; the command's time only bounds what has none.
      await controlUnit(verb, unit, envelope.timeoutMs, signal).catch((thrown) =>
        failWithJournal(unit, 'step-failed', thrown),
      );
      return {};
    },
    probe: (context) => probeAction(verb, unit, context),
  };
}

function checkHealth({ unit, health }: UnitSpec): Step {
  return {
    name: 'check-health',
    describe: () => `wait until ${unit} is healthy: ${JSON.stringify(health)}`,
    run: async ({ signal }) => {
      const detail = await awaitHealthy(unit, health, signal).catch((thrown) =>
        failWithJournal(unit, 'unhealthy', thrown),
      );
      return { data: await readUnit(unit), detail };
    },
    isRepeatable: true,
  };
}

function checkStopped({ unit }: UnitSpec): Step {
  return {
    name: 'check-stopped',
    describe: () => `see that ${unit} is inactive`,
    run: async () => {
      const moment = await readMoment(unit);
      const stand = standOf(moment);
      if (stand === 'up' || stand === 'moving') throw notStopped(unit, moment);
      return { data: await readUnit(unit), detail: `${unit} is ${describeMoment(moment)}` };
    },
    isRepeatable: true,
  };
}

function notStopped(unit: string, moment: UnitMoment): LamplighterError {
  const { triggeredBy } = moment;
  const hint = triggeredBy === '' ? {} : { hint: `${triggeredBy} starts it again: stop that first.` };
  return new LamplighterError('failed', `stop ${unit}: it is ${describeMoment(moment)}`, hint);
}

function procedureOf(verb: UnitVerb, spec: UnitSpec): Procedure {
  const last = verb === 'stop' ? checkStopped(spec) : checkHealth(spec);
  return {
    steps: [checkUnit(spec), actOn(spec, verb), last],
    result: ({ data }) => ({ unit: data.get(last.name), healthy: verb !== 'stop' }),
  };
}

/** Procedures of the runner. */
export const procedures: Record<string, Plan> = {
  [serviceStart.name]: (spec) => procedureOf('start', serviceStart.spec.parse(spec)),
  [serviceStop.name]: (spec) => procedureOf('stop', serviceStop.spec.parse(spec)),
  [serviceRestart.name]: (spec) => procedureOf('restart', serviceRestart.spec.parse(spec)),
  [serviceReload.name]: (spec) => procedureOf('reload', serviceReload.spec.parse(spec)),
};

/** Reads of the agent. */
export const reads: Record<string, Read> = {
  [serviceStatus.name]: async (spec) => ({ unit: await readUnit(serviceStatus.spec.parse(spec).unit) }),
  [serviceLogs.name]: async (_spec, { signed, signal }) => {
    const lines: LogLine[] = [];
    const { isCut } = await askReader(PATHS.readerSocket, signed, (line) => lines.push(line), signal);
    return { lines, truncated: isCut };
  },
};
