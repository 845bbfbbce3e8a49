// From the text of runbook.yaml to a Runbook, or to every fault in it with its line and column.
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { knownKeysAt } from './known-keys.ts';
import { nearestName } from './nearest-name.ts';
import { findReferenceFaults, type RunbookFault } from './references.ts';
import { Runbook } from './schema.ts';

/** A fault with its place in the file; `path` is written like `services.web.unit`. */
export interface RunbookError {
  line: number;
  column: number;
  path: string;
  message: string;
  hint?: string;
}

export type ParsedRunbook = { ok: true; runbook: Runbook } | { ok: false; errors: RunbookError[] };

/** Largest runbook that is read; keeps a hostile upload from costing memory. */
export const MAX_RUNBOOK_BYTES = 1024 * 1024;

/** Parses and checks a runbook. Never throws on bad text; reports all faults at once, in the order of the file. */
export function parseRunbook(text: string, operations: readonly string[]): ParsedRunbook {
  if (Buffer.byteLength(text) > MAX_RUNBOOK_BYTES) {
    return {
      ok: false,
      errors: [{ line: 1, column: 1, path: '', message: `larger than ${MAX_RUNBOOK_BYTES} bytes` }],
    };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) return { ok: false, errors: syntaxErrors(document, lines) };
  const plain = toPlain(document);
  if (plain instanceof ReferenceError) return { ok: false, errors: [aliasError(plain)] };
  const parsed = Runbook.safeParse(plain);
  const shapeFaults = parsed.success ? [] : parsed.error.issues.flatMap((issue) => faultsOf(issue, []));
  const faults = [...shapeFaults, ...findReferenceFaults(plain, operations)];
  if (parsed.success && faults.length === 0) return { ok: true, runbook: parsed.data };
  const errors = faults.map((fault) => locate(fault, document, lines));
  return { ok: false, errors: errors.toSorted((a, b) => a.line - b.line || a.column - b.column) };
}

/** The document's value, or the library's error: an alias without its anchor, or too many. */
function toPlain(document: Document): unknown {
  try {
    // maxAliasCount bounds the "billion laughs" expansion.
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof ReferenceError) return error;
    throw error;
  }
}

function aliasError({ message }: ReferenceError): RunbookError {
  return { line: 1, column: 1, path: '', message, hint: 'Write the values out instead of using aliases.' };
}

function syntaxErrors(document: Document, lines: LineCounter): RunbookError[] {
  return document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { line, column: col, path: '', message: error.message, hint: 'The file is not valid YAML here.' };
  });
}

function faultsOf(issue: z.core.$ZodIssue, parent: (string | number)[]): RunbookFault[] {
  const path = [...parent, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => misspelt(path, key));
  if (issue.code === 'invalid_union') return closestBranch(issue.errors, path, issue.message);
  if (issue.code === 'invalid_key') {
    return [{ path, message: issue.issues[0]?.message ?? 'not a valid name' }];
  }
  return [{ path, message: issue.message }];
}

function misspelt(path: (string | number)[], key: string): RunbookFault {
  const known = knownKeysAt(path);
  const near = nearestName(key, known);
  const hint = near ? `Did you mean "${near}"?` : `Known keys here: ${known.join(', ')}.`;
  return { path: [...path, key], message: `unknown key "${key}"`, hint };
}

/** Of a union's branches, the one with the fewest faults is the one that was meant. */
function closestBranch(
  branches: z.core.$ZodIssue[][],
  path: (string | number)[],
  message: string,
): RunbookFault[] {
  const ranked = branches
    .map((issues) => issues.flatMap((issue) => faultsOf(issue, path)))
    .toSorted((a, b) => a.length - b.length);
  return ranked[0] && ranked[0].length > 0 ? ranked[0] : [{ path, message }];
}

function locate(fault: RunbookFault, document: Document, lines: LineCounter): RunbookError {
  const { line, col } = lines.linePos(offsetOf(fault.path, document));
  const place = { line, column: col, path: writePath(fault.path), message: fault.message };
  return fault.hint === undefined ? place : { ...place, hint: fault.hint };
}

/** Where a path begins in the text: its key when it exists, else its nearest ancestor that does. */
function offsetOf(path: readonly (string | number)[], document: Document): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const key = path[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isNode(item.key) && String(item.key) === String(key));
      if (pair && isNode(pair.key) && pair.key.range) return pair.key.range[0];
    }
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function writePath(path: readonly (string | number)[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('');
}
