// Results of service.*: a unit as `lamp status` shows it, and journal lines as `lamp logs` does.
import type * as z from 'zod';
import type { CommandView, ServiceView } from '#shared/api/views.ts';
import type { UnitStatus } from '#shared/command/report.ts';
import { serviceLogs } from '#shared/operations/logs.ts';
import { serviceRestart, serviceStatus } from '#shared/operations/service.ts';
import { viewOf } from '../operation/result-view.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { joinFitting, type Part } from '../output/line.ts';
import { renderLogLine } from '../output/log-line.ts';
import { formatBytes, formatCount } from '../output/quantity.ts';
import { renderServices } from './services.ts';

function asService(
  { unit, activeState, subState, activeSince, restarts }: UnitStatus,
  command: CommandView,
): ServiceView {
  const { service } = command.params;
  const name = typeof service === 'string' ? service : unit;
  return { name, host: command.host, unit, description: null, activeState, subState, activeSince, restarts };
}

function factsOf({ mainPid, memoryBytes }: UnitStatus): Part[] {
  return [
    ...(mainPid > 0 ? [{ text: `main process ${mainPid}` }] : []),
    ...(memoryBytes === null ? [] : [{ text: `memory ${formatBytes(memoryBytes)}` }]),
  ];
}

/** What systemd says of a unit. */
export const statusView = viewOf(serviceStatus.result, ['unit'], ({ unit }, command, context) => {
  const facts = [
    ...(unit.loadState === 'loaded' ? [] : [{ text: `systemd: ${escapeForTerminal(unit.loadState)}` }]),
    ...factsOf(unit),
  ];
  const more = facts.length > 0 ? `${joinFitting(facts, context.width)}\n` : '';
  return renderServices([asService(unit, command)], context) + more;
});

/** A unit after it was acted on. */
export const unitView = viewOf(
  serviceRestart.result,
  ['unit', 'healthy'],
  ({ unit, healthy }, command, context) => {
    const health = healthy ? [{ text: 'healthy', shown: context.paint.green('healthy') }] : [];
    const facts = [...health, ...factsOf(unit)];
    const more = facts.length > 0 ? `${joinFitting(facts, context.width)}\n` : '';
    return renderServices([asService(unit, command)], context) + more;
  },
);

/** What a person must know of lines that are not all there; empty when nothing was left out. */
export function tellLeftOut({ truncated, searched }: z.infer<typeof serviceLogs.result>): string {
  const cut = truncated ? 'older lines were left out: they did not fit in one answer\n' : '';
  if (searched === undefined) return cut;
  const early = `only the newest ${formatCount(searched)} lines were searched; for older ones: --until\n`;
  return `${cut}${early}`;
}

/** Lines of a unit's journal. */
export const logsView = viewOf(
  serviceLogs.result,
  ['lines', 'truncated', 'searched'],
  (result, _command, context) => {
    const { lines } = result;
    if (lines.length === 0) return `no lines\n${tellLeftOut(result)}`;
    return lines.map((line) => renderLogLine(line, context.paint)).join('') + tellLeftOut(result);
  },
);
