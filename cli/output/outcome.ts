// How a command ended, for people: one sentence, what it returned, and the last output when it failed.
import type { CommandView } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { escapeForTerminal } from './escape.ts';
import { formatElapsed } from './quantity.ts';
import type { Palette } from './style.ts';

/** The closing lines of a command that was waited for. */
export function renderOutcome(command: CommandView, paint: Palette): string {
  const took = command.finishedAt
    ? Date.parse(command.finishedAt) - Date.parse(command.requestedAt)
    : undefined;
  const inTime = took === undefined ? '' : ` in ${formatElapsed(took)}`;
  if (command.state === 'succeeded') {
    const verb = command.dryRun ? 'dry run done' : 'done';
    return `${paint.green(verb)}${inTime}\n${renderResult(command.result)}`;
  }
  const code = command.code ? ` (${command.code})` : '';
  const message = command.message ? `: ${escapeForTerminal(command.message)}` : '';
  const lines = [`${paint.red(command.state)}${inTime}${code}${message}\n`];
  if (command.hint) lines.push(`${paint.dim('hint:')} ${escapeForTerminal(command.hint)}\n`);
  if (command.output.length > 0) {
    lines.push(paint.dim('last output:\n'));
    lines.push(...command.output.map((line) => `  ${escapeForTerminal(line)}\n`));
  }
  if (command.state === 'unknown') lines.push(`look again later: lamp commands ${command.id}\n`);
  return lines.join('');
}

/** One line that names a command: operation, its parameters, host. */
export function describeCommand(command: Pick<CommandView, 'operation' | 'params' | 'host'>): string {
  const params = Object.entries(command.params).map(([key, value]) => `${key}=${asText(value)}`);
  return escapeForTerminal([command.operation, ...params, 'on', command.host].join(' '));
}

/** True when nothing will change any more, or nobody works on it. */
export function hasEnded(command: CommandView): boolean {
  return isSettled(command.state);
}

/** A result as indented `name: value` lines; lists of plain values on one line. */
export function renderResult(value: unknown, indent = '  '): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return `${indent}${escapeForTerminal(asText(value))}\n`;
  return Object.entries(value)
    .map(([key, entry]) => renderEntry(Array.isArray(value) ? '-' : `${key}:`, entry, indent))
    .join('');
}

function renderEntry(label: string, value: unknown, indent: string): string {
  const head = escapeForTerminal(label);
  const isPlainList = Array.isArray(value) && value.every((v) => typeof v !== 'object');
  if (typeof value !== 'object' || value === null || isPlainList) {
    const text = Array.isArray(value) ? value.map(asText).join(' ') : asText(value);
    return `${indent}${head} ${escapeForTerminal(text)}\n`;
  }
  return `${indent}${head}\n${renderResult(value, `${indent}  `)}`;
}

function asText(value: unknown): string {
  if (value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
