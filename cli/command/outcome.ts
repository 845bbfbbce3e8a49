// How a command ended, for people: one sentence, what it returned, and the last output when it failed.
import type { CommandView } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { renderResult } from '../operation/results.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatElapsed } from '../output/quantity.ts';
import { shortId } from '../output/short-id.ts';
import type { ViewContext } from '../view.ts';

/** The closing lines of a command that was waited for. */
export function renderOutcome(command: CommandView, context: ViewContext): string {
  const { paint } = context;
  const took = command.finishedAt
    ? Date.parse(command.finishedAt) - Date.parse(command.requestedAt)
    : undefined;
  const inTime = took === undefined ? '' : ` in ${formatElapsed(took)}`;
  const message = command.message ? `: ${escapeForTerminal(command.message)}` : '';
  const hint = command.hint ? `${paint.dim('hint:')} ${escapeForTerminal(command.hint)}\n` : '';
  if (command.state === 'succeeded') {
    const verb = command.dryRun ? 'dry run done' : 'done';
    return `${paint.green(verb)}${inTime}${message}\n${hint}${renderResult(command, context)}`;
  }
  const code = command.code ? ` (${command.code})` : '';
  const lines = [`${paint.red(command.state)}${inTime}${code}${message}\n`];
  if (command.output.length > 0) {
    lines.push(paint.dim('last output:\n'));
    lines.push(...command.output.map((line) => `  ${escapeForTerminal(line)}\n`));
  }
  // After the output, which may be long: what to do next is what the eye should end on.
  lines.push(hint);
  if (command.state === 'unknown') lines.push(`look again later: lamp commands ${shortId(command.id)}\n`);
  return lines.join('');
}

/** One line that names a command: operation, its parameters, host. */
export function describeCommand(command: Pick<CommandView, 'operation' | 'params' | 'host'>): string {
  const params = orderParams(command.params).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return escapeForTerminal([command.operation, ...params, 'on', command.host].join(' '));
}

/** True when nothing will change any more, or nobody works on it. */
export function hasEnded(command: CommandView): boolean {
  return isSettled(command.state);
}

// The order in which a command's parameters are shown: the store keeps none.

/** Parameters that name what a command is about. */
const SUBJECTS = new Set(['service', 'backup', 'host']);

/** What the command is about first. */
export function orderParams(params: Record<string, unknown>): [string, unknown][] {
  const isDetail = ([key]: [string, unknown]): number => Number(!SUBJECTS.has(key));
  return Object.entries(params).toSorted((a, b) => isDetail(a) - isDetail(b));
}
