// The roles that a dump names, and what they are in the cluster: which are missing, and which may act beyond their own objects.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { type Cluster, quoteText } from '../../host/postgres.ts';
import { runScript } from '../../host/sql-script.ts';
import { missingRoles } from './advice.ts';
import type { Standing } from './plan.ts';

const TIMEOUT_MS = 60_000;

/** Predefined roles whose members reach files, programs or everybody's data. */
export const POWERS = [
  'pg_execute_server_program',
  'pg_read_server_files',
  'pg_write_server_files',
  'pg_read_all_data',
  'pg_write_all_data',
  'pg_checkpoint',
  'pg_maintain',
  'pg_create_subscription',
];

/** How the owners in a dump stand in the cluster. */
export interface Standings {
  standingOf(owner: string): Standing;
  isSuperuser(owner: string): boolean;
}

/** A name's bytes; a dump's texts are bytes already, one character each. */
export function byteLiteral(name: string): string {
  return quoteText(`\\x${Buffer.from(name, 'latin1').toString('hex')}`);
}

/** With the encoding of the server's own, nothing is converted on its way out. */
export const UNCONVERTED = `SELECT set_config('client_encoding', getdatabaseencoding(), false) \\g /dev/null`;

/**
 * Asks how each owner in a dump stands. Names are compared as bytes: the cluster's databases share the roles, whatever the
 * encoding of each, and pg_dump took down what a role's name is made of. Throws `refused` with those that are not
 * there: roles are not part of a database.
 */
export async function findStandings(
  cluster: Cluster,
  { entries }: { entries: readonly ListingEntry[] },
): Promise<Standings> {
  const owners = [...new Set(entries.map(({ owner }) => owner))].filter((owner) => owner !== '');
  const { rows } = await runScript({
    cluster,
    database: 'postgres',
    timeoutMs: TIMEOUT_MS,
    sql: `${UNCONVERTED}
      SELECT CASE WHEN r.oid IS NULL THEN 'missing'
        WHEN r.rolsuper THEN 'superuser'
        WHEN r.rolcreaterole OR r.rolreplication OR r.rolbypassrls OR EXISTS (
          SELECT FROM pg_roles p WHERE (p.rolsuper OR p.rolname IN (${POWERS.map(quoteText).join(', ')}))
            AND pg_has_role(r.oid, p.oid, 'MEMBER'))
        THEN 'trusted' ELSE 'ordinary' END
      FROM unnest(ARRAY[${owners.map(byteLiteral).join(', ')}]::bytea[]) WITH ORDINALITY AS o(name, place)
      LEFT JOIN pg_roles r ON textsend(r.rolname::text) = o.name ORDER BY o.place;`,
  });
  const missing = owners.filter((_owner, i) => rows[i] === 'missing');
  if (missing.length > 0) {
    const names = missing.map((name) => Buffer.from(name, 'latin1').toString('utf8'));
    throw missingRoles(names);
  }
  const standings = new Map(owners.map((owner, i) => [owner, rows[i]]));
  return {
    standingOf: (owner) => (standings.get(owner) === 'ordinary' ? 'ordinary' : 'trusted'),
    isSuperuser: (owner) => standings.get(owner) === 'superuser',
  };
}
