// What a view of a result is: one for each family of operations, found by the operation's name in results.ts.
import type * as z from 'zod';
import type { CommandView } from '#shared/api/views.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatBytes, formatElapsed } from '../output/quantity.ts';
import type { ViewContext } from '../view.ts';

/** Lines that show a result; undefined when it does not have the form that this lamp knows. */
export type ResultView = (command: CommandView, context: ViewContext) => string | undefined;

/**
 * A view of results of this form. `shown` names the fields that `render` shows; every other field follows as `key: value`,
 * so that nothing a newer operation returns is lost.
 */
export function viewOf<T extends z.ZodType<object>>(
  schema: T,
  shown: readonly (keyof z.infer<T> & string)[],
  render: (result: z.infer<T>, command: CommandView, context: ViewContext) => string,
): ResultView {
  return (command, context) => {
    const parsed = schema.safeParse(command.result);
    if (!parsed.success) return undefined;
    const hidden = Object.entries(parsed.data).filter(([key]) => !shown.some((name) => name === key));
    return render(parsed.data, command, context) + renderFields(Object.fromEntries(hidden));
  };
}

/** The result with its keys in the definition's order; as it is when it has another form. */
export function inSchemaOrder(operation: string, result: unknown): unknown {
  return lookUpOperation(operation)?.result.safeParse(result).data ?? result;
}

/** A value as indented `name: value` lines; lists of plain values on one line. */
export function renderFields(value: unknown, indent = '  '): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return `${indent}${escapeForTerminal(asText('', value))}\n`;
  return Object.entries(value)
    .map(([key, entry]) => renderField(Array.isArray(value) ? '' : key, entry, indent))
    .join('');
}

function renderField(key: string, value: unknown, indent: string): string {
  const head = key === '' ? '-' : `${escapeForTerminal(nameOf(key))}:`;
  const isPlainList = Array.isArray(value) && value.every((entry) => typeof entry !== 'object');
  if (typeof value !== 'object' || value === null || isPlainList) {
    const text = Array.isArray(value)
      ? value.map((entry) => asText(key, entry)).join(' ')
      : asText(key, value);
    return `${indent}${head} ${escapeForTerminal(text)}\n`;
  }
  return `${indent}${head}\n${renderFields(value, `${indent}  `)}`;
}

/** `keptAs` reads `kept as`; a unit at the end goes into the value. */
function nameOf(key: string): string {
  return key.replace(/(?<=.)(Bytes|Ms)$/, '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function asText(key: string, value: unknown): string {
  if (value === null) return '-';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number' && /(^b|B)ytes$/.test(key)) return formatBytes(value);
  if (typeof value === 'number' && key.endsWith('Ms')) return formatElapsed(value);
  return JSON.stringify(value);
}
