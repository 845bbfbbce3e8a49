// From the text of runbook.yaml to a Runbook, or to every fault in it with its line and column.
import { type Document, isMap, isNode, Lexer, LineCounter, parseDocument } from 'yaml';
import type { OperationDefinition } from '../operations/definition.ts';
import type { Path, RunbookFault } from './fault.ts';
import { shortName } from './nearest-name.ts';
import { needsFaults } from './needs.ts';
import { referenceFaults } from './references.ts';
import { Runbook } from './schema.ts';
import { shapeFaults } from './shape.ts';
import { MAX_RUNBOOK_BYTES } from './size.ts';
import { valueFaults } from './values.ts';
import { runbookWarnings } from './warnings.ts';
import { webhookFaults } from './webhooks.ts';

/** A fault with its place in the file; `path` is written like `services.web.unit`. */
export interface RunbookError {
  line: number;
  column: number;
  path: string;
  message: string;
  hint?: string;
}

/**
 * `document` is what YAML reads, before defaults are filled in. `warnings` refuse nothing: what is allowed and most likely not
 * meant. With errors, the runbook is there all the same when its shape is right: one that was in force before a new rule came
 * stays in force.
 */
export type ParsedRunbook =
  | { ok: true; runbook: Runbook; document: unknown; warnings: RunbookError[] }
  | { ok: false; errors: RunbookError[]; runbook: Runbook | undefined };

/** Words and marks of YAML: some 8,000 lines. Reading a document costs far more memory than its text has. */
const MAX_TOKENS = 60_000;
/** So many faults are told; whoever has more mends these first. */
export const MAX_FAULTS = 50;
const MAX_SYNTAX_MESSAGE = 300;

function refusal(message: string, hint?: string): ParsedRunbook {
  const error = { line: 1, column: 1, path: '', message };
  return { ok: false, errors: [hint === undefined ? error : { ...error, hint }], runbook: undefined };
}

/**
 * Parses and checks a runbook against the operations that there are. Never throws on bad text; reports up to fifty faults
 * at once, in the order of the file.
 */
export function parseRunbook(text: string, operations: readonly OperationDefinition[]): ParsedRunbook {
  if (Buffer.byteLength(text) > MAX_RUNBOOK_BYTES) return refusal(`larger than ${MAX_RUNBOOK_BYTES} bytes`);
  if (hasTooManyTokens(text))
    return refusal('more entries than a runbook can have', 'Split it into several platforms.');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0)
    return { ok: false, errors: syntaxErrors(document, lines), runbook: undefined };
  const plain = toPlain(document);
  if (plain instanceof ReferenceError) return { ok: false, errors: [aliasError(plain)], runbook: undefined };
  const place = (faults: Iterable<RunbookFault>): RunbookError[] =>
    firstFaults(faults)
      .map((fault) => locate(fault, document, lines))
      .toSorted((a, b) => a.line - b.line || a.column - b.column);
  const parsed = Runbook.safeParse(plain);
  const errors = place(allFaults(parsed, plain, operations));
  if (!parsed.success || errors.length > 0) return { ok: false, errors, runbook: parsed.data };
  return { ok: true, runbook: parsed.data, document: plain, warnings: place(runbookWarnings(parsed.data)) };
}

function* allFaults(
  parsed: ReturnType<typeof Runbook.safeParse>,
  plain: unknown,
  operations: readonly OperationDefinition[],
): Generator<RunbookFault> {
  if (!parsed.success) yield* shapeFaults(parsed.error.issues, plain);
  yield* referenceFaults(
    plain,
    operations.map(({ name }) => name),
  );
  yield* needsFaults(plain);
  yield* valueFaults(plain);
  yield* prototypeFaults(plain);
  if (parsed.success) yield* webhookFaults(parsed.data, operations);
}

/** The schema passes over this one key, so that an entry of this name would vanish without a word. */
function* prototypeFaults(value: unknown, path: Path = []): Generator<RunbookFault> {
  if (typeof value !== 'object' || value === null || path.length > 8) return;
  for (const [key, entry] of Object.entries(value)) {
    const part = Array.isArray(value) ? Number(key) : key;
    if (key === '__proto__') yield { path: [...path, part], message: 'the name "__proto__" can\'t be used' };
    else yield* prototypeFaults(entry, [...path, part]);
  }
}

/** The first faults, each once. */
function firstFaults(faults: Iterable<RunbookFault>): RunbookFault[] {
  const taken = new Map<string, RunbookFault>();
  for (const fault of faults) {
    if (taken.size >= MAX_FAULTS) break;
    taken.set(`${writePath(fault.path)}: ${fault.message}`, fault);
  }
  return [...taken.values()];
}

function hasTooManyTokens(text: string): boolean {
  let count = 0;
  for (const _token of new Lexer().lex(text)) {
    count += 1;
    if (count > MAX_TOKENS) return true;
  }
  return false;
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
  return document.errors.slice(0, MAX_FAULTS).map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    const message = error.message.slice(0, MAX_SYNTAX_MESSAGE);
    return { line, column: col, path: '', message, hint: 'The file is not valid YAML here.' };
  });
}

function locate(fault: RunbookFault, document: Document, lines: LineCounter): RunbookError {
  const { line, col } = lines.linePos(offsetOf(fault.path, document));
  const place = { line, column: col, path: writePath(fault.path), message: fault.message };
  return fault.hint === undefined ? place : { ...place, hint: fault.hint };
}

/** Where a path begins in the text: its key when it exists, else its nearest ancestor that does. */
function offsetOf(path: Path, document: Document): number {
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

function writePath(path: Path): string {
  return path
    .map((part, i) => {
      if (typeof part === 'number') return `[${part}]`;
      return i === 0 ? shortName(part) : `.${shortName(part)}`;
    })
    .join('');
}
