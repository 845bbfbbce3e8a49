// Which relations a restore that kept going really lacks. What pg_restore says holds text of the users', and a line of it may
// look like pg_restore's own: nothing is skipped for it before the catalogue was asked.

import { quoteText } from '../host/postgres.ts';
import { runScript } from '../host/sql-script.ts';
import { tableName } from './restore-count.ts';
import { isRelation } from './restore-owners.ts';
import { type Filling, sessionOf } from './restore-pass.ts';
import type { Refused } from './restore-refused.ts';

const TIMEOUT_MS = 60_000;

/** The same, with the ids of those relations alone that are not there. */
export async function confirmAbsent(filling: Filling, refused: readonly Refused[]): Promise<Refused[]> {
  const claimed = new Set(refused.map(({ dumpId }) => dumpId));
  const relations = filling.dump.entries.filter((entry) => isRelation(entry) && claimed.has(entry.dumpId));
  const absent = new Set(relations.length === 0 ? [] : await askAbsent(filling, relations));
  return refused.map(({ what, why, dumpId }) =>
    dumpId !== undefined && absent.has(dumpId) ? { what, why, dumpId } : { what, why },
  );
}

async function askAbsent(filling: Filling, relations: readonly Parameters<typeof tableName>[0][]) {
  const names = relations.map((entry) => `(${entry.dumpId}, ${quoteText(tableName(entry))})`);
  const { rows } = await runScript({
    ...sessionOf(filling, 'superuser'),
    sql: `${filling.dump.encodingStatement}
      SELECT id FROM (VALUES ${names.join(', ')}) AS v(id, name) WHERE to_regclass(name) IS NULL;`,
    timeoutMs: TIMEOUT_MS,
    signal: filling.signal,
  });
  return rows.map(Number);
}
