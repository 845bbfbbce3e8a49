// service.*: acts on a systemd unit, and shows its status and log.

import type { UnitStatus } from '#shared/command/report.ts';
import { messageOf } from '#shared/errors.ts';
import {
  type LogLine,
  serviceFollow,
  serviceLogs,
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
import { type UnitSpec, unitSteps } from './service/unit-steps.ts';
import { defineProcedure, defineRead } from './twin.ts';

function procedureOf(verb: UnitVerb, spec: UnitSpec): Procedure<{ unit: UnitStatus; healthy: boolean }> {
  const { check, act, last } = unitSteps(verb, spec);
  return {
    steps: [check, act, last],
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
  defineProcedure(serviceStart, (spec) => procedureOf('start', spec)),
  defineProcedure(serviceStop, (spec) => procedureOf('stop', spec)),
  defineProcedure(serviceRestart, (spec) => procedureOf('restart', spec)),
  defineProcedure(serviceReload, (spec) => procedureOf('reload', spec)),
  defineRead(serviceStatus, async ({ unit }) => ({ unit: await readUnit(unit) })),
  defineRead(serviceLogs, async (_spec, { signed, signal }) => {
    const lines: LogLine[] = [];
    const { isCut } = await askReader(PATHS.readerSocket, signed, (line) => lines.push(line), signal);
    return { lines, truncated: isCut };
  }),
  defineRead(serviceFollow, async ({ ticket, relayUrl }, { signal, signed }) => {
    // Loaded by the agent alone: the runner has these twins, too, and no use for a WebSocket.
    const { streamToRelay } = await import('../live/stream.ts');
    return await streamToRelay({ relayUrl, ticket, source: followThrough(signed), signal, nowMs: Date.now });
  }),
];
