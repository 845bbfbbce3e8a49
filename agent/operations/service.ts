// service.*: acts on a systemd unit, and shows its status and log.

import type { UnitStatus } from '#shared/command/report.ts';
import { messageOf } from '#shared/errors.ts';
import { type LogLine, serviceFollow, serviceLogs } from '#shared/operations/logs.ts';
import {
  serviceConfigtest,
  serviceReload,
  serviceRestart,
  serviceStart,
  serviceStatus,
  serviceStop,
} from '#shared/operations/service.ts';
import { PATHS } from '../config/paths.ts';
import { askReader } from '../dispatch/ask-reader.ts';
import type { UnitVerb } from '../host/systemd.ts';
import { readUnit } from '../host/unit-status.ts';
import type { LineSource } from '../live/stream.ts';
import type { Procedure } from '../runner/step.ts';
import { configTestSteps, testConfiguration } from './service/config-test.ts';
import { type UnitSpec, unitSteps } from './service/unit-steps.ts';
import { defineProcedure, defineRead, defineRootRead, type HostContext } from './twin.ts';

function procedureOf(
  verb: UnitVerb,
  spec: UnitSpec,
  { policy }: HostContext,
): Procedure<{ unit: UnitStatus; healthy: boolean }> {
  const { check, act, last } = unitSteps(verb, spec);
  // A configuration with a fault would take a service down that works.
  const test = verb === 'stop' ? [] : configTestSteps(spec, policy);
  return {
    steps: [check, ...test, act, last],
    result: ({ outputOf }) => ({ unit: outputOf(last), healthy: verb !== 'stop' }),
  };
}

/** The reader's lines, as they come, as a source for the live relay. */
function followThrough(signed: Parameters<typeof askReader>[1]): LineSource {
  return (onLine, onEnd) => {
    const stop = new AbortController();
    const over = askReader(PATHS.readerSocket, signed, onLine, stop.signal).then(
      () => onEnd('the journal ended'),
      (error: unknown) => {
        if (!stop.signal.aborted) onEnd(messageOf(error));
      },
    );
    return {
      stop: async () => {
        stop.abort();
        await over;
      },
    };
  };
}

export const twins = [
  defineProcedure(serviceStart, (spec, context) => procedureOf('start', spec, context)),
  defineProcedure(serviceStop, (spec, context) => procedureOf('stop', spec, context)),
  defineProcedure(serviceRestart, (spec, context) => procedureOf('restart', spec, context)),
  defineProcedure(serviceReload, (spec, context) => procedureOf('reload', spec, context)),
  defineRootRead(serviceConfigtest, async ({ unit }, { policy, signal }) => ({
    unit,
    output: (await testConfiguration(unit, policy, signal)) ?? [],
  })),
  defineRead(serviceStatus, async ({ unit }) => ({ unit: await readUnit(unit) })),
  defineRead(serviceLogs, async (_spec, { signed, signal }) => {
    const lines: LogLine[] = [];
    const { isCut, searched } = await askReader(
      PATHS.readerSocket,
      signed,
      (line) => lines.push(line),
      signal,
    );
    return { lines, truncated: isCut, ...(searched === undefined ? {} : { searched }) };
  }),
  defineRead(serviceFollow, async ({ ticket, relayUrl }, { signal, signed }) => {
    // Loaded by the agent alone: the runner has these twins, too, and no use for a WebSocket.
    const { streamToRelay } = await import('../live/stream.ts');
    return await streamToRelay({ relayUrl, ticket, source: followThrough(signed), signal, nowMs: Date.now });
  }),
];
