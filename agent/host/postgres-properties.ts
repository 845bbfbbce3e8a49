// A database's size and properties, read from the catalogue alone.
import * as z from 'zod';
import { DatabaseProperties } from '#shared/backup/database-properties.ts';
import { LamplighterError } from '#shared/errors.ts';
import { quoteText, runSql, type SqlOptions } from './postgres.ts';

/** What the catalogue says of a database. */
export const DatabaseFacts = z.object({
  databaseBytes: z.int().nonnegative(),
  serverVersion: z.string(),
  properties: DatabaseProperties,
});
const WithServer = DatabaseFacts.extend({ isSafeServer: z.boolean() });
export type DatabaseFacts = z.infer<typeof DatabaseFacts>;

/**
 * Read in `postgres`, where a restore writes it: names of roles and properties of databases are shared by databases of
 * every encoding, and in a session of a LATIN1 database a name in UTF-8 would come out converted once more. `textsend`
 * converts as a session does and, unlike `convert_to`, does not fail over bytes that are none of the encoding; of a
 * SQL_ASCII database nobody knows what its bytes mean. As hexadecimal digits, so that no value can end a line. Columns that
 * came with later versions are read through JSON: ICU's locale is `daticulocale` in 15 and 16 and `datlocale` since 17.
 */
const readFacts = (
  database: string,
): string => `SELECT encode(CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN convert_to(facts, 'SQL_ASCII') ELSE textsend(facts) END, 'hex')
  FROM (SELECT json_build_object(
    'databaseBytes', pg_database_size(d.oid),
    'serverVersion', current_setting('server_version'),
    'isSafeServer', EXISTS (SELECT 1 FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'),
    'properties', json_build_object(
      'owner', pg_get_userbyid(d.datdba),
      'encoding', pg_encoding_to_char(d.encoding),
      'collate', d.datcollate,
      'ctype', d.datctype,
      'localeProvider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
      'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
      'icuRules', to_jsonb(d) ->> 'daticurules',
      'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = d.dattablespace),
      'connectionLimit', d.datconnlimit,
      'isTemplate', d.datistemplate,
      'comment', shobj_description(d.oid, 'pg_database'),
      'grants', CASE WHEN d.datacl IS NOT NULL THEN coalesce((
        SELECT json_agg(json_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
          'grantor', pg_get_userbyid(a.grantor), 'privilege', a.privilege_type, 'isGrantable', a.is_grantable))
        FROM aclexplode(d.datacl) a), '[]'::json) END,
      'settings', coalesce((
        SELECT json_agg(json_build_object(
          'role', CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END,
          'name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1)) ORDER BY s.setrole, n)
        FROM pg_db_role_setting s, unnest(s.setconfig) WITH ORDINALITY AS config(c, n)
        WHERE s.setdatabase = d.oid), '[]'::json),
      'securityLabels', coalesce((
        SELECT json_agg(json_build_object('provider', l.provider, 'label', l.label) ORDER BY l.provider)
        FROM pg_shseclabel l WHERE l.classoid = 'pg_database'::regclass AND l.objoid = d.oid), '[]'::json))
  )::text AS facts FROM pg_database d WHERE d.datname = ${quoteText(database)}) AS found;`;

/**
 * Reads them. `isSafeServer`: it lets pg_dump refuse views in the place of tables
 * (CVE-2024-7348). Throws `failed` when there is no such database.
 */
export async function readDatabaseFacts(options: SqlOptions): Promise<z.infer<typeof WithServer>> {
  const { database } = options;
  const [row] = await runSql(readFacts(database), { ...options, database: 'postgres' });
  if (row === undefined)
    throw new LamplighterError('failed', `read properties of ${database}: the database does not exist`);
  return WithServer.parse(JSON.parse(Buffer.from(row, 'hex').toString('utf8')));
}
