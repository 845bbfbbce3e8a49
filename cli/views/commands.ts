import type { CommandDetail, CommandView } from '#shared/api/views.ts';
import { isFinal } from '#shared/command/state.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { describeCommand, hasEnded, renderOutcome } from '../output/outcome.ts';
import { formatAge, formatClock, formatElapsed } from '../output/quantity.ts';
import type { Paint, Palette } from '../output/style.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

const COLUMNS = [
  { title: 'COMMAND' },
  { title: 'OPERATION', flexible: true },
  { title: 'STATE' },
  { title: 'ASKED' },
  { title: 'TOOK', align: 'right' as const },
  { title: 'BY' },
];

function paintOf(state: CommandView['state'], paint: Palette): Paint {
  if (state === 'succeeded') return paint.green;
  return isFinal(state) ? paint.red : paint.yellow;
}

/** Parameters that name what a command is about. */
const SUBJECTS = new Set(['service', 'backup', 'host']);
const MAX_SHOWN_LENGTH = 30;

function shortDescription({ operation, params, dryRun }: CommandView): string {
  // What it is about first; the store keeps no order.
  const isDetail = (key: string): number => Number(!SUBJECTS.has(key));
  const values = Object.entries(params)
    .toSorted(([a], [b]) => isDetail(a) - isDetail(b))
    .map(([, value]) => value)
    .filter((value) => typeof value === 'string' && value.length <= MAX_SHOWN_LENGTH);
  return [operation, ...values, ...(dryRun ? ['(dry run)'] : [])].join(' ');
}

/** Commands, one line each. */
export function renderCommands(commands: CommandView[], { paint, width, nowMs }: ViewContext): string {
  const rows = commands.map((command): (string | Cell)[] => [
    command.id,
    shortDescription(command),
    { text: command.state, paint: paintOf(command.state, paint) },
    formatAge(command.requestedAt, nowMs),
    command.finishedAt
      ? formatElapsed(Date.parse(command.finishedAt) - Date.parse(command.requestedAt))
      : '-',
    command.actor.name,
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}

/** One command: who asked, its steps with their times, how it ended. */
export function renderCommand({ command }: CommandDetail, { paint }: ViewContext): string {
  const { actor, requestedAt, steps } = command;
  const head = [
    `${paint.bold(describeCommand(command))}  ${paint.dim(command.id)}\n`,
    `asked ${formatClock(requestedAt)} by ${escapeForTerminal(actor.name)} (${actor.kind}, ${actor.role})\n`,
  ];
  const rows = steps.map((step): (string | Cell)[] => [
    { text: step.outcome, paint: step.outcome === 'done' ? paint.green : paint.red },
    step.name,
    formatElapsed(step.durationMs),
    step.detail ?? '',
  ]);
  const columns = [
    { title: 'STEP' },
    { title: 'NAME' },
    { title: 'TOOK', align: 'right' as const },
    { title: 'DETAIL' },
  ];
  const table = rows.length > 0 ? renderTable(columns, rows, 100, paint.dim) : '';
  const end = hasEnded(command) ? renderOutcome(command, paint) : `${paint.yellow(command.state)}\n`;
  return [...head, table, end].join('');
}
