// Queries the catalogue of a database that a restore has filled: which relations are missing, and which objects still belong
// to the roles of the restore.
import { LamplighterError } from '#shared/errors.ts';
import { quoteText } from '../../host/postgres.ts';
import { runScript } from '../../host/sql-script.ts';
import { tableName } from './count.ts';
import { isRelation } from './owners.ts';
import { type Filling, sessionOf } from './pass.ts';
import type { Refused } from './refused.ts';
import { HELD_ROLE, RESTORE_ROLE } from './role.ts';

const TIMEOUT_MS = 10 * 60_000;
const MAX_TOLD = 5;
const OWNERS = [RESTORE_ROLE, HELD_ROLE].map(quoteText).join(', ');

/** The catalogue records one owner for each object, whatever its kind. */
const FIND_LEFTOVER = `SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
  WHERE deptype = 'o' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND refclassid = 'pg_authid'::regclass
    AND refobjid IN (SELECT oid FROM pg_roles WHERE rolname IN (${OWNERS}));`;

async function ask(filling: Filling, query: string): Promise<string[]> {
  const { rows } = await runScript({
    ...sessionOf(filling, 'superuser'),
    sql: `${filling.dump.encodingStatement}\n${query}`,
    timeoutMs: TIMEOUT_MS,
    signal: filling.signal,
  });
  return rows;
}

/**
 * The refusals, with the ids of those relations alone that are missing. What pg_restore says holds text of the users', and a
 * line of it may look like pg_restore's own: nothing is skipped for it before the catalogue was asked.
 */
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
  const query = `SELECT id FROM (VALUES ${names.join(', ')}) AS v(id, name) WHERE to_regclass(name) IS NULL;`;
  return (await ask(filling, query)).map(Number);
}

/** What still belongs to the roles of the restore, whose end would drop it. Throws `failed` unless the restore keeps going. */
export async function findLeftover(filling: Filling): Promise<Refused[]> {
  const rows = await ask(filling, FIND_LEFTOVER);
  if (rows.length > 0 && filling.onRefused === 'stop') {
    const told = rows.slice(0, MAX_TOLD).join(', ');
    throw new LamplighterError(
      'failed',
      `give ${filling.fresh} to its owners: ${rows.length} objects still belong to the roles of the restore: ${told}`,
      { hint: 'To restore without these objects: lamp restore --keep-going.' },
    );
  }
  return rows.map((what) => ({ what, why: 'it could not be given to its owner, and was dropped' }));
}
