// A journal line for people: time, message, and colour for what is worse than a notice.
import type { LogLine } from '#shared/operations/logs.ts';
import { escapeForTerminal } from './escape.ts';
import { formatClock } from './quantity.ts';
import type { Palette } from './style.ts';

const ERROR_PRIORITY = 3;
const WARNING_PRIORITY = 4;

/** The line with its line break; a message of several lines is indented under its time. */
export function renderLogLine({ at, priority, message }: LogLine, paint: Palette): string {
  const tint =
    priority <= ERROR_PRIORITY ? paint.red : priority <= WARNING_PRIORITY ? paint.yellow : undefined;
  const [first = '', ...rest] = message.replace(/\n+$/, '').split('\n');
  const indent = ' '.repeat(formatClock(at).length + 2);
  const text = [first, ...rest.map((line) => indent + line)].map(escapeForTerminal).map(tint ?? String);
  return `${paint.dim(formatClock(at))}  ${text.join('\n')}\n`;
}
