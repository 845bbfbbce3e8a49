// Steps that act on one systemd unit and wait for what comes of it; several procedures are made of them.

import * as z from 'zod';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { UnitStatus } from '#shared/command/report.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { HealthCheck } from '#shared/runbook/schema.ts';
import { PATHS } from '../../config/paths.ts';
import { awaitHealthy } from '../../host/health.ts';
import {
  awaitSettled,
  controlArguments,
  controlUnit,
  readMoment,
  type UnitVerb,
} from '../../host/systemd.ts';
import { describeMoment, restingStandOf, standOf, type UnitMoment } from '../../host/unit-stand.ts';
import { readUnit } from '../../host/unit-status.ts';
import { defineStep, type Probe, type Step } from '../../runner/step.ts';
import { failWithJournal } from './fail-with-journal.ts';

export interface UnitSpec {
  unit: string;
  health: HealthCheck;
  /** Told apart by it: the names of its steps end in it, where a procedure acts on several units. */
  label?: string;
}

/** The name of a step on this unit. */
export function nameStep(name: string, { label }: UnitSpec): string {
  return label === undefined ? name : `${name} ${label}`;
}

const Before = z.object({ invocationId: z.string() });
type Before = z.infer<typeof Before>;

function checkUnit(spec: UnitSpec): Step<Before> {
  const { unit } = spec;
  return defineStep({
    name: nameStep('check-unit', spec),
    describe: () => `see that systemd knows ${unit}`,
    output: Before,
    run: async () => {
      const moment = await readMoment(unit);
      if (moment.loadState !== 'loaded') {
        const message = `find unit ${unit}: systemd says ${moment.loadState}`;
        throw new OperationFailure('unknown-unit', 'not-found', message);
      }
      const limits = [limitText(moment.startLimit, 'start'), limitText(moment.stopLimit, 'stop')].join(', ');
      return {
        data: { invocationId: moment.invocationId },
        detail: `${unit} is ${describeMoment(moment)}; systemd gives it ${limits}`,
      };
    },
    afterCrash: 'repeat',
  });
}

function limitText(span: string, verb: string): string {
  return span === '' ? `no limit to ${verb}` : `${span} to ${verb}`;
}

/** Whether the action took effect, by the unit's state now and the start that ran before. */
export function judgeAction(verb: UnitVerb, before: string, now: UnitMoment): Probe {
  switch (verb) {
    case 'reload':
      // A reload leaves no trace in the unit's state.
      return 'cannot-tell';
    case 'stop':
      if (now.isMoving) return 'cannot-tell';
      return restingStandOf(now) === 'up' ? 'not-done' : 'done';
    case 'start':
      return now.isMoving ? 'cannot-tell' : judgeStart(before, now, restingStandOf(now) === 'up');
    case 'restart':
      return judgeRestart(before, now);
  }
}

function judgeRestart(before: string, now: UnitMoment): Probe {
  const isNewStart = now.invocationId !== '' && now.invocationId !== before;
  if (now.isMoving) return isNewStart ? 'done' : 'cannot-tell';
  return judgeStart(before, now, isNewStart && restingStandOf(now) === 'up');
}

/** `isUp`: it is up as it should be after this start. */
function judgeStart(before: string, now: UnitMoment, isUp: boolean): Probe {
  if (restingStandOf(now) !== 'done') return isUp ? 'done' : 'not-done';
  // A oneshot that ran to its end: this time, or an earlier one? systemd forgets it soon.
  if (now.invocationId === '') return 'cannot-tell';
  return now.invocationId === before ? 'not-done' : 'done';
}

function actOn(spec: UnitSpec, verb: UnitVerb, check: Step<Before>): Step<undefined> {
  const { unit } = spec;
  return defineStep({
    name: nameStep(verb, spec),
    describe: () => `${PATHS.systemctl} ${controlArguments(verb, unit).join(' ')}`,
    run: async ({ signal, envelope }) => {
      // systemd's own limits for the unit decide when it has failed; the command's time only bounds what has none.
      await controlUnit(verb, unit, envelope.timeoutMs, signal).catch((thrown) =>
        failWithJournal(unit, 'step-failed', thrown),
      );
      return {};
    },
    afterCrash: 'ask',
    probe: async ({ signal, outputOf }) =>
      judgeAction(verb, outputOf(check).invocationId, await awaitSettled(unit, signal)),
  });
}

function checkHealth(spec: UnitSpec): Step<UnitStatus> {
  const { unit, health } = spec;
  return defineStep({
    name: nameStep('check-health', spec),
    describe: () => `wait until ${unit} is healthy: ${JSON.stringify(health)}`,
    output: UnitStatus,
    run: async ({ signal }) => {
      const detail = await awaitHealthy(unit, health, signal).catch((thrown) =>
        failWithJournal(unit, 'unhealthy', thrown),
      );
      return { data: await readUnit(unit), detail };
    },
    afterCrash: 'repeat',
  });
}

function checkStopped(spec: UnitSpec): Step<UnitStatus> {
  const { unit } = spec;
  return defineStep({
    name: nameStep('check-stopped', spec),
    describe: () => `see that ${unit} is inactive`,
    output: UnitStatus,
    run: async () => {
      const moment = await readMoment(unit);
      const stand = standOf(moment);
      if (stand === 'up' || stand === 'moving') throw notStopped(unit, moment);
      return { data: await readUnit(unit), detail: `${unit} is ${describeMoment(moment)}` };
    },
    afterCrash: 'repeat',
  });
}

function notStopped(unit: string, moment: UnitMoment): LamplighterError {
  const { triggeredBy } = moment;
  const hint = triggeredBy === '' ? {} : { hint: `${triggeredBy} starts it again: stop that first.` };
  return new LamplighterError('failed', `stop ${unit}: the unit is still ${describeMoment(moment)}`, hint);
}

/** The steps of one action on a unit: the last one leaves what the unit is then. */
export interface UnitSteps {
  check: Step<Before>;
  act: Step<undefined>;
  last: Step<UnitStatus>;
}

/** Sees that systemd knows the unit, acts on it, and waits until it is healthy, or stopped. */
export function unitSteps(verb: UnitVerb, spec: UnitSpec): UnitSteps {
  const check = checkUnit(spec);
  const last = verb === 'stop' ? checkStopped(spec) : checkHealth(spec);
  return { check, act: actOn(spec, verb, check), last };
}
