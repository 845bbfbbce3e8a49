// What a dump needs that is the server's and not the database's (extensions, tablespaces, roles that its rights name), and
// what the server lets only superusers do: looked up before anything stops, in the catalogue alone.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { Cluster } from '../../host/postgres.ts';
import { runScript } from '../../host/sql-script.ts';
import { roleHint } from './advice.ts';
import type { Limit, Powers } from './limits.ts';
import { superuserSession } from './pass.ts';
import { matchUnquoted } from './quotes.ts';
import { NAME, readRoutine, unquote } from './routine.ts';
import { byteLiteral, UNCONVERTED } from './standing.ts';

const TIMEOUT_MS = 60_000;

/** Where a right, a policy or a mapping names roles; PUBLIC is a keyword, in capitals. */
const ROLES_IN: Readonly<Record<string, RegExp>> = {
  ACL: new RegExp(` (?:TO|FROM) (${NAME})(?: WITH GRANT OPTION)?;$`, 'dgm'),
  'DEFAULT ACL': new RegExp(` (?:TO|FROM) (${NAME})(?: WITH GRANT OPTION)?;$`, 'dgm'),
  POLICY: new RegExp(
    `^CREATE POLICY ${NAME} ON ${NAME}\\.${NAME}(?: AS RESTRICTIVE)?(?: FOR [A-Z]+)? TO (${NAME}(?:, ${NAME})*)`,
    'dg',
  ),
  'USER MAPPING': new RegExp(`^CREATE USER MAPPING FOR (${NAME}) SERVER `, 'dg'),
};

/** A mapping for PUBLIC is written as one for `public`; no role can have that name. */
const EVERYBODY = 'public';

/** Roles that a dump names besides the owners; texts are bytes, one character each. */
export function namedRoles(entries: readonly ListingEntry[]): string[] {
  const names = entries.flatMap(({ kind, definition }) => {
    const pattern = ROLES_IN[kind];
    if (!pattern) return [];
    const lists = matchUnquoted(definition, pattern).map(([, list = '']) => list);
    return lists.flatMap((list) => list.match(new RegExp(NAME, 'g')) ?? []);
  });
  return [...new Set(names.map(unquote))].filter((name) => name !== EVERYBODY);
}

/** Tablespaces of a dump's tables and indexes, besides the database's own. */
export function tablespacesOf(entries: readonly ListingEntry[]): string[] {
  return [...new Set(entries.map(({ tablespace }) => tablespace))].filter((name) => name !== '');
}

/** Languages that only superusers use: as the server or the dump has them; of one that neither has, by the name's custom. */
export function untrustedLanguages(
  entries: readonly ListingEntry[],
  known: ReadonlyMap<string, 'trusted' | 'untrusted'>,
): Set<string> {
  const all = new Map(known);
  for (const { kind, tag, definition } of entries) {
    const isTrusted = /^CREATE (?:OR REPLACE )?TRUSTED /.test(definition);
    if (kind === 'PROCEDURAL LANGUAGE') all.set(tag, isTrusted ? 'trusted' : 'untrusted');
  }
  for (const entry of entries) {
    const language = readRoutine(entry)?.language;
    if (language !== undefined && !all.has(language))
      all.set(language, language.endsWith('u') ? 'untrusted' : 'trusted');
  }
  return new Set([...all].filter(([, standing]) => standing === 'untrusted').map(([name]) => name));
}

export interface Needed {
  missing: Limit[];
  powers: Pick<Powers, 'untrustedLanguages' | 'superuserSettings'>;
}

function missingFrom(kind: string, names: readonly string[], catalogue: string, column: string): string {
  return `SELECT '${kind} ' || place FROM unnest(ARRAY[${names.map(byteLiteral).join(', ')}]::bytea[]) WITH ORDINALITY AS o(name, place)
    WHERE NOT EXISTS (SELECT FROM ${catalogue} WHERE textsend(${column}::text) = o.name);`;
}

const SETTINGS = `SELECT 'setting ' || name FROM pg_settings WHERE context NOT IN ('user', 'backend');`;
const LANGUAGES = `SELECT (CASE WHEN lanpltrusted THEN 'trusted ' ELSE 'untrusted ' END) || lanname FROM pg_language;`;

type Languages = ReadonlyMap<string, 'trusted' | 'untrusted'>;

/** Every database has them. */
const BUILT_IN: Languages = new Map([
  ['c', 'untrusted'],
  ['internal', 'untrusted'],
]);

function tell(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

const MISSING: Readonly<Record<string, (name: string, serverMajor: number) => Limit>> = {
  extension: (name, serverMajor) => ({
    code: 'missing-extension',
    what: `extension ${name}`,
    why: 'it is not installed on this server',
    hint: `Install the package that has it, for PostgreSQL ${serverMajor} (apt search postgresql-${serverMajor} | grep ${name}), and restore again.`,
  }),
  tablespace: (name) => ({
    code: 'missing-tablespace',
    what: `tablespace ${name}`,
    why: 'it is not on this server',
    hint: `Make it (CREATE TABLESPACE "${name}" LOCATION '…') and restore again; lamp restore --keep-going puts what was in it into the database's own.`,
  }),
  role: (name) => ({
    code: 'missing-role',
    what: `rights of role "${name}"`,
    why: 'that role is not on this server',
    hint: roleHint(name),
  }),
};

/** Each row's first word, and what comes after it. */
async function ask(
  place: { cluster: Cluster; database: string },
  serverMajor: number,
  questions: readonly string[],
): Promise<(readonly [string, string])[]> {
  const { rows } = await runScript({
    ...superuserSession(place, serverMajor),
    timeoutMs: TIMEOUT_MS,
    sql: [UNCONVERTED, ...questions].join('\n'),
  });
  return rows.map((row) => [row.slice(0, row.indexOf(' ')), row.slice(row.indexOf(' ') + 1)] as const);
}

/**
 * Languages of the database that will be replaced, which are the dump's as a rule; a restore may be needed because nobody can
 * open it.
 */
async function languagesOf(
  place: { cluster: Cluster; database: string },
  serverMajor: number,
  note: (text: string) => void,
): Promise<Languages> {
  try {
    const said = await ask(place, serverMajor, [LANGUAGES]);
    return new Map(
      said.flatMap(([kind, name]) =>
        kind === 'trusted' || kind === 'untrusted' ? [[name, kind] as const] : [],
      ),
    );
  } catch (error) {
    if (!(error instanceof LamplighterError)) throw error;
    note(
      `could not look up the languages of ${place.database}; those that the dump does not make are judged by their names: ${messageOf(error)}`,
    );
    return BUILT_IN;
  }
}

/**
 * Looks up what a dump needs of the server, by a session in `postgres`. Of `database`, which will be replaced, only the
 * languages are asked; where it is closed or damaged, that is noted.
 */
export async function findNeeds(
  cluster: Cluster,
  database: string,
  { entries, serverMajor }: { entries: readonly ListingEntry[]; serverMajor: number },
  note: (text: string) => void,
): Promise<Needed> {
  const names: Readonly<Record<string, string[]>> = {
    extension: entries.filter(({ kind }) => kind === 'EXTENSION').map(({ tag }) => tag),
    tablespace: tablespacesOf(entries),
    role: namedRoles(entries),
  };
  const said = await ask({ cluster, database: 'postgres' }, serverMajor, [
    missingFrom('extension', names.extension ?? [], 'pg_available_extensions', 'name'),
    missingFrom('tablespace', names.tablespace ?? [], 'pg_tablespace', 'spcname'),
    missingFrom('role', names.role ?? [], 'pg_roles', 'rolname'),
    SETTINGS,
  ]);
  const languages = await languagesOf({ cluster, database }, serverMajor, note);
  return {
    missing: said.flatMap(([kind, place]) => {
      const name = names[kind]?.[Number(place) - 1];
      return name === undefined ? [] : (MISSING[kind]?.(tell(name), serverMajor) ?? []);
    }),
    powers: {
      untrustedLanguages: untrustedLanguages(entries, languages),
      superuserSettings: new Set(said.filter(([kind]) => kind === 'setting').map(([, name]) => name)),
    },
  };
}
