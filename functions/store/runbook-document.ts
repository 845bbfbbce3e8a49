// The document of a runbook as JSON beside its text: reading YAML, and loading what reads it, costs a cold start more than
// everything else that it does with a runbook.
import { isDeepStrictEqual } from 'node:util';
import { Runbook } from '#shared/runbook/schema.ts';

/**
 * A runbook's document for the store: what YAML read, without the defaults, which a later version may have others of. Null
 * when JSON would make another runbook of it (infinity, not a number).
 */
export function writeDocument({ runbook, document }: { runbook: Runbook; document: unknown }): string | null {
  const text = JSON.stringify(document);
  return isDeepStrictEqual(readDocument(text), runbook) ? text : null;
}

/** The runbook in a stored document; undefined when it is not one of this version of Lamplighter. */
export function readDocument(text: string): Runbook | undefined {
  try {
    return Runbook.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
