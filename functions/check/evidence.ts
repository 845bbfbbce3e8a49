// The evidence in an alert about a check: its last results, a line each.
import { type CheckResult, listCheckResults } from '../store/checks.ts';
import type { Queryable } from '../store/database.ts';

const LINES = 8;

function lineOf({ at, verdict, reason }: CheckResult): string {
  return `${at.toISOString().replace('T', ' ')}  ${verdict}  ${reason}`;
}

/** The last results of a check, the newest last. */
export async function listEvidence(db: Queryable, check: string): Promise<string[]> {
  return (await listCheckResults(db, check, LINES)).map(lineOf);
}
