// Any result as lines, in the order that its operation's definition gives the fields.
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatBytes, formatElapsed } from '../output/quantity.ts';

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
