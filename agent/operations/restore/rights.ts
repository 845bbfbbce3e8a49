// Which routines the roles of a restore may call meanwhile. They reach every schema, and what runs as one of them may be any
// owner's code: so what acts with somebody else's rights stays closed unless every owner may call it anyway.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { quoteName, quoteText } from '../../host/postgres.ts';
import type { Standing } from './plan.ts';
import { HELD_ROLE, RESTORE_ROLE } from './role.ts';

const ROLES = `${quoteName(RESTORE_ROLE)}, ${quoteName(HELD_ROLE)}`;
/**
 * What was closed, as the statements that open it again; nobody but the superuser reads it, and it is gone once the owners
 * have their objects.
 */
const NOTES = `${quoteName(RESTORE_ROLE)}.reopen`;
const FIRST_USER_OID = 16384;

/** Each row of a query is a statement, which is then run. */
export function generated(query: string): string {
  return `${query}\n\\gexec`;
}

function namesOf(owners: readonly string[]): string {
  return `ARRAY[${owners.map(quoteText).join(', ')}]::name[]`;
}

/** Closes what acts for another and not every owner in the dump may call; opens what they all may. */
export function closeStatements(
  entries: readonly ListingEntry[],
  standingOf: (owner: string) => Standing,
): string[] {
  const owners = [...new Set(entries.map(({ owner }) => owner))].filter((owner) => owner !== '');
  const ordinary = owners.filter((owner) => standingOf(owner) === 'ordinary');
  const isForAll = `NOT EXISTS (SELECT FROM unnest(${namesOf(owners)}) AS o(name)
    WHERE NOT (has_function_privilege(o.name, p.oid, 'EXECUTE') AND has_schema_privilege(o.name, p.pronamespace, 'USAGE')))`;
  const from = `FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid >= ${FIRST_USER_OID}`;
  // C is an extension's, or a superuser's own: what must not be called for everybody has rights of its own.
  const actsForAnother = "(p.prosecdef OR NOT l.lanpltrusted AND l.lanname NOT IN ('c', 'internal'))";
  const isPublic = `EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0)`;
  return [
    'SET client_min_messages = warning;',
    `CREATE SCHEMA IF NOT EXISTS ${quoteName(RESTORE_ROLE)};`,
    `CREATE TABLE IF NOT EXISTS ${NOTES} (routine oid PRIMARY KEY, statement text NOT NULL);`,
    `INSERT INTO ${NOTES} SELECT p.oid, format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', p.oid::regprocedure) ${from}
      AND ${actsForAnother} AND ${isPublic} AND NOT ${isForAll}
      AND pg_get_userbyid(p.proowner) <> ALL (${namesOf([...ordinary, RESTORE_ROLE])}) ON CONFLICT DO NOTHING;`,
    generated(
      `SELECT format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', routine::regprocedure) FROM ${NOTES}`,
    ),
    generated(
      `SELECT format('GRANT EXECUTE ON ROUTINE %s TO ${ROLES}', p.oid::regprocedure) ${from} AND p.proacl IS NOT NULL
        AND (${isForAll} OR NOT p.prosecdef AND l.lanpltrusted)`,
    ),
    generated(
      `SELECT format('GRANT USAGE ON TYPE %s TO ${ROLES}', oid::regtype) FROM pg_type
        WHERE typacl IS NOT NULL AND oid >= ${FIRST_USER_OID}`,
    ),
  ];
}

/** Gives back what was closed: the roles of the restore must have lost their rights on schemas before. */
export const REOPEN_STATEMENTS = [
  generated(`SELECT statement FROM ${NOTES}`),
  `DROP SCHEMA ${quoteName(RESTORE_ROLE)} CASCADE;`,
];
