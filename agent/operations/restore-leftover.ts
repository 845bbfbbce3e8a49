// What still belongs to the roles of a restore when all should have been handed over: dropping what they own would drop it.
import { LamplighterError } from '#shared/errors.ts';
import { quoteText } from '../host/postgres.ts';
import { runScript } from '../host/sql-script.ts';
import { type Filling, sessionOf } from './restore-pass.ts';
import type { Refused } from './restore-refused.ts';
import { HELD_ROLE, RESTORE_ROLE } from './restore-role.ts';

const TIMEOUT_MS = 10 * 60_000;
const MAX_TOLD = 5;
const OWNERS = [RESTORE_ROLE, HELD_ROLE].map(quoteText).join(', ');

/** The catalogue records one owner for each object, whatever its kind. */
const FIND_LEFTOVER = `SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
  WHERE deptype = 'o' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND refclassid = 'pg_authid'::regclass
    AND refobjid IN (SELECT oid FROM pg_roles WHERE rolname IN (${OWNERS}));`;

/** Tells what nobody took over. Throws `failed` unless the restore is to keep going. */
export async function findLeftover(filling: Filling): Promise<Refused[]> {
  const { rows } = await runScript({
    ...sessionOf(filling, 'superuser'),
    sql: `${filling.dump.encodingStatement}\n${FIND_LEFTOVER}`,
    timeoutMs: TIMEOUT_MS,
    signal: filling.signal,
  });
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
