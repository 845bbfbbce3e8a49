// The new database and its properties, from the manifest: what a dump of a database does not hold never comes from whatever
// database happens to be there.
import type { DatabaseProperties } from '#shared/backup/database-properties.ts';
import { LamplighterError } from '#shared/errors.ts';
import { type Cluster, quoteName, quoteText, runSql } from '../../host/postgres.ts';
import { dropDatabase } from './database.ts';
import { RESTORE_ROLE } from './role.ts';

/** A copy of template0, and a checkpoint. */
const CREATE_TIMEOUT_MS = 10 * 60_000;
const ADMIN = { database: 'postgres' };
/** Since then a database names its provider; before, there is none but libc. */
const PROVIDERS_SINCE = 15;

function providerClause({ localeProvider, locale, icuRules }: DatabaseProperties, major: number): string {
  if (major < PROVIDERS_SINCE) return '';
  if (localeProvider === 'c') return 'LOCALE_PROVIDER libc';
  const name = quoteText(locale ?? '');
  if (localeProvider === 'b') return `LOCALE_PROVIDER builtin BUILTIN_LOCALE ${name}`;
  const rules = icuRules === null ? '' : ` ICU_RULES ${quoteText(icuRules)}`;
  return `LOCALE_PROVIDER icu ICU_LOCALE ${name}${rules}`;
}

/**
 * The statement that makes a database with the properties that can't be changed later. It lets nobody in: a new database
 * gives everybody CONNECT and TEMPORARY, and taking these away does not end a session that came before.
 */
export function createStatement(name: string, properties: DatabaseProperties, major: number): string {
  const { encoding, collate, ctype, tablespace } = properties;
  return [
    `CREATE DATABASE ${quoteName(name)} TEMPLATE template0 ENCODING ${quoteText(encoding)}`,
    `LC_COLLATE ${quoteText(collate)} LC_CTYPE ${quoteText(ctype)}`,
    providerClause(properties, major),
    `TABLESPACE ${quoteName(tablespace)} ALLOW_CONNECTIONS false;`,
  ]
    .filter((clause) => clause !== '')
    .join(' ');
}

/**
 * Makes the new database. Until the swap it is the superuser's, and besides superusers only the restoring role can connect:
 * whoever owns it in the end could else put something into it meanwhile.
 */
export async function createFreshDatabase(
  cluster: Cluster,
  fresh: string,
  properties: DatabaseProperties,
  major: number,
): Promise<void> {
  await dropDatabase(cluster, fresh);
  await runSql(
    `${createStatement(fresh, properties, major)}
     REVOKE ALL ON DATABASE ${quoteName(fresh)} FROM PUBLIC;
     GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${quoteName(fresh)} TO ${quoteName(RESTORE_ROLE)};
     ALTER DATABASE ${quoteName(fresh)} ALLOW_CONNECTIONS true;`,
    { cluster, ...ADMIN, timeoutMs: CREATE_TIMEOUT_MS },
  );
}

/**
 * Settings whose value is a list of names: quoted as a whole it would be one name (pg_dump: variable_is_guc_list_quote).
 * What is stored is whatever a session held (`SET … FROM CURRENT` does not quote it), so each name is quoted anew.
 */
const LIST_SETTINGS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** A setting's value as SQL; an empty list is one empty name, as PostgreSQL has it. */
export function settingValue(name: string, value: string): string {
  if (!LIST_SETTINGS.has(name)) return quoteText(value);
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|([^,"\s]+)/g)].map(([, quoted, plain]) =>
    quoteText(quoted?.replaceAll('""', '"') ?? plain ?? ''),
  );
  return names.length === 0 ? "''" : names.join(', ');
}

function grantStatements(name: string, { grants, owner }: DatabaseProperties): string[] {
  const database = `DATABASE ${quoteName(name)}`;
  if (grants === null)
    return [
      `GRANT CONNECT, TEMPORARY ON ${database} TO PUBLIC;`,
      `GRANT ALL ON ${database} TO ${quoteName(owner)};`,
    ];
  return grants.map(({ grantee, privilege, isGrantable }) => {
    const to = grantee === null ? 'PUBLIC' : quoteName(grantee);
    return `GRANT ${keyword(privilege)} ON ${database} TO ${to}${isGrantable ? ' WITH GRANT OPTION' : ''};`;
  });
}

const PRIVILEGES = new Set(['CONNECT', 'CREATE', 'TEMPORARY']);

function keyword(privilege: string): string {
  if (PRIVILEGES.has(privilege)) return privilege;
  throw new LamplighterError('corrupt', `restore a database's rights: unknown privilege ${privilege}`);
}

/** Statements that give a database its owner, limit, rights, settings, comment and labels. */
export function propertyStatements(name: string, properties: DatabaseProperties): string[] {
  const { owner, connectionLimit, isTemplate, comment, settings, securityLabels } = properties;
  const database = `DATABASE ${quoteName(name)}`;
  return [
    `ALTER ${database} OWNER TO ${quoteName(owner)};`,
    `ALTER ${database} CONNECTION LIMIT ${connectionLimit};`,
    `REVOKE ALL ON ${database} FROM PUBLIC, ${quoteName(owner)};`,
    ...grantStatements(name, properties),
    ...settings.map((setting) => {
      const whose = setting.role === null ? database : `ROLE ${quoteName(setting.role)} IN ${database}`;
      return `ALTER ${whose} SET ${quoteName(setting.name)} TO ${settingValue(setting.name, setting.value)};`;
    }),
    ...(comment === null ? [] : [`COMMENT ON ${database} IS ${quoteText(comment)};`]),
    ...securityLabels.map(
      ({ provider, label }) =>
        `SECURITY LABEL FOR ${quoteName(provider)} ON ${database} IS ${quoteText(label)};`,
    ),
    ...(isTemplate ? [`ALTER ${database} IS_TEMPLATE true;`] : []),
  ];
}

/** Gives the new database its properties. From here on nobody can connect until it stands in the old one's place. */
export async function applyProperties(
  cluster: Cluster,
  fresh: string,
  properties: DatabaseProperties,
): Promise<void> {
  const close = `ALTER DATABASE ${quoteName(fresh)} ALLOW_CONNECTIONS false;`;
  await runSql([close, ...propertyStatements(fresh, properties)].join('\n'), { cluster, ...ADMIN });
}

/** Roles that the properties name. */
export function rolesOf({ owner, grants, settings }: DatabaseProperties): string[] {
  const named = [owner, ...(grants ?? []).map(({ grantee }) => grantee), ...settings.map(({ role }) => role)];
  return [...new Set(named.filter((role) => role !== null))];
}
