// service.*: what is done about a systemd unit.
import { z } from 'zod';
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
import {
  awaitSettled,
  controlArguments,
  controlUnit,
  readMoment,
  readUnit,
  type UnitMoment,
  type UnitVerb,
} from '../host/systemd.ts';
import type { Probe, Procedure, Step, StepContext } from '../runner/steps.ts';
import type { Plan, Read } from './twin.ts';

const JOURNAL_LINES = 50;
const SYSTEMCTL_TIMEOUT_MS = 100_000;

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
  throw new LamplighterError('failed', messageOf(thrown), {
    cause: thrown,
    details: { outcome, output: await lastLines(unit) },
  });
}

function checkUnit({ unit }: UnitSpec): Step {
  return {
    name: 'check-unit',
    describe: () => `see that systemd knows ${unit}`,
    run: async () => {
      const { loadState, activeState, invocationId } = await readMoment(unit);
      if (loadState !== 'loaded') {
        throw new LamplighterError('not-found', `find unit ${unit}: systemd says ${loadState}`, {
          details: { outcome: 'unknown-unit' },
        });
      }
      return { data: { invocationId }, detail: `${unit} is ${activeState}` };
    },
    isRepeatable: true,
  };
}

const Before = z.object({ invocationId: z.string() });

/** Whether the verb took effect, from what the unit is at now and which start of it ran before. */
export function judgeAction(verb: UnitVerb, before: string | undefined, now: UnitMoment): Probe {
  // A reload leaves no trace.
  if (verb === 'reload') return 'cannot-tell';
  if (verb === 'restart') return judgeRestart(before, now);
  if (now.isMoving) return 'cannot-tell';
  return (now.activeState === 'active') === (verb === 'start') ? 'done' : 'not-done';
}

function judgeRestart(
  before: string | undefined,
  { invocationId, activeState, isMoving }: UnitMoment,
): Probe {
  if (before === undefined) return 'cannot-tell';
  const isNewStart = invocationId !== '' && invocationId !== before;
  if (isMoving) return isNewStart ? 'done' : 'cannot-tell';
  return isNewStart && activeState === 'active' ? 'done' : 'not-done';
}

async function probeAction(verb: UnitVerb, unit: string, context: StepContext): Promise<Probe> {
  const before = Before.safeParse(context.data.get('check-unit')).data?.invocationId;
  return judgeAction(verb, before, await awaitSettled(unit, SYSTEMCTL_TIMEOUT_MS));
}

function actOn({ unit }: UnitSpec, verb: UnitVerb): Step {
  return {
    name: verb,
    describe: () => `${PATHS.systemctl} ${controlArguments(verb, unit).join(' ')}`,
    run: async ({ signal }) => {
      await controlUnit(verb, unit, SYSTEMCTL_TIMEOUT_MS, signal).catch((thrown) =>
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
      const status = await readUnit(unit);
      // Whatever answered on the port, it was not this unit.
      if (status.activeState !== 'active')
        await failWithJournal(unit, 'unhealthy', new Error(`${unit} answers but is ${status.activeState}`));
      return { data: status, detail };
    },
    isRepeatable: true,
  };
}

function checkStopped({ unit }: UnitSpec): Step {
  return {
    name: 'check-stopped',
    describe: () => `see that ${unit} is inactive`,
    run: async () => {
      const status = await readUnit(unit);
      if (status.activeState === 'active')
        throw new LamplighterError('failed', `stop ${unit}: it is still active`);
      return { data: status };
    },
    isRepeatable: true,
  };
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
