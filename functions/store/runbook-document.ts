// Stores a runbook's document as JSON beside its text: loading the YAML parser and parsing cost a cold start more than
// everything else that it does with a runbook.
import { isDeepStrictEqual } from 'node:util';
import { Runbook } from '#shared/runbook/schema.ts';
import { MAX_RUNBOOK_BYTES } from '#shared/runbook/size.ts';

/** A document is about as long as its text; one of aliases can be a hundred times as long. In characters. */
export const MAX_DOCUMENT_LENGTH = 2 * MAX_RUNBOOK_BYTES;

/**
 * A runbook's document for the store: what YAML read, without the defaults, which a later version may have others of. Null
 * when JSON would make another runbook of it (infinity, not a number), or one longer than `MAX_DOCUMENT_LENGTH`.
 */
export function writeDocument({ runbook, document }: { runbook: Runbook; document: unknown }): string | null {
  const text = writeBounded(document);
  return text !== undefined && isDeepStrictEqual(readDocument(text), runbook) ? text : null;
}

const TOO_LONG = new RangeError('too long');

/** Stops while it writes: the aliases of one long text are that text once in memory, and once each in JSON. */
function writeBounded(document: unknown): string | undefined {
  let length = 0;
  const count = (key: string, value: unknown): unknown => {
    length += key.length + (typeof value === 'string' ? value.length : 1);
    if (length > MAX_DOCUMENT_LENGTH) throw TOO_LONG;
    return value;
  };
  try {
    const text = JSON.stringify(document, count);
    // Longer than was counted by its quotation marks and escapes.
    return text.length > MAX_DOCUMENT_LENGTH ? undefined : text;
  } catch (error) {
    if (error === TOO_LONG) return undefined;
    throw error;
  }
}

/** The runbook in a stored document; undefined when it is not one of this version of Lamplighter. */
export function readDocument(text: string): Runbook | undefined {
  try {
    return Runbook.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
