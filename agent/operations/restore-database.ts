// The database's part of a restore: a new database beside the old one, filled, checked, and swapped by rename.
import { closeSync, openSync } from 'node:fs';
import { z } from 'zod';
import { type BackupManifest, TableCount } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { StreamResult } from '../backup-stream/protocol.ts';
import { uploadAccount } from '../host/accounts.ts';
import { startBackupChild } from '../host/backup-child.ts';
import { awaitEnd, killOnAbort, mustHaveEndedWell } from '../host/joined.ts';
import {
  type Cluster,
  COUNT_ROWS,
  clusterArguments,
  postgresAccount,
  programsFor,
  quoteName,
  quoteText,
  runSql,
} from '../host/postgres.ts';
import { startProgram } from '../host/process.ts';
import { adviseOnRestore } from './restore-advice.ts';

/** Counting and analysing everything takes as long as it takes; the command has a limit of its own. */
const CHECK_TIMEOUT_MS = 6 * 3_600_000;
/** A copy of template0, and a checkpoint. */
const CREATE_TIMEOUT_MS = 10 * 60_000;
const MAX_TOLD = 5;

/** Names of one restore: the database that is filled, and under which the old one is kept. */
export interface RestoreNames {
  database: string;
  fresh: string;
  kept: string;
}

/** Names from the command's id, so that they are the same after a crash. */
export function restoreNames(database: string, commandId: string): RestoreNames {
  const tag = commandId.slice(-6);
  const base = database.slice(0, 40);
  return { database, fresh: `${base}_restore_${tag}`, kept: `${base}_before_${tag}` };
}

/** Which of these databases exist. */
export async function existingDatabases(cluster: Cluster): Promise<string[]> {
  return await runSql('SELECT datname FROM pg_database;', { cluster, database: 'postgres' });
}

const Traits = z.object({
  owner: z.string(),
  encoding: z.string(),
  tablespace: z.string(),
  datcollate: z.string(),
  datctype: z.string(),
  datconnlimit: z.int(),
  /** Since PostgreSQL 15: `c` libc, `i` ICU, `b` built in. */
  datlocprovider: z.string().default('c'),
  /** The provider's own locale, as 15 and 16 and as 17 name it. */
  daticulocale: z.string().nullish(),
  datlocale: z.string().nullish(),
});

const ADMIN = { database: 'postgres' };

function localeClauses(traits: z.infer<typeof Traits>): string {
  const locale = quoteText(traits.datlocale ?? traits.daticulocale ?? '');
  if (traits.datlocprovider === 'i') return `LOCALE_PROVIDER icu ICU_LOCALE ${locale}`;
  return traits.datlocprovider === 'b' ? `LOCALE_PROVIDER builtin BUILTIN_LOCALE ${locale}` : '';
}

/** Makes the new database as the old one is: owner, encoding, locale, tablespace. */
export async function createFreshDatabase(
  cluster: Cluster,
  { database, fresh }: RestoreNames,
): Promise<void> {
  const [row] = await runSql(
    `SELECT to_jsonb(d) || jsonb_build_object('owner', pg_get_userbyid(d.datdba),
        'encoding', pg_encoding_to_char(d.encoding), 'tablespace', t.spcname)
      FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = ${quoteText(database)};`,
    { cluster, ...ADMIN },
  );
  if (row === undefined) {
    throw new LamplighterError('not-found', `restore ${database}: there is no such database to be like`, {
      hint: `Make an empty one with the owner that it had: createdb --owner=OWNER ${database}`,
    });
  }
  const traits = Traits.parse(JSON.parse(row));
  await dropFreshDatabase(cluster, fresh);
  await runSql(
    `CREATE DATABASE ${quoteName(fresh)} OWNER ${quoteName(traits.owner)} TEMPLATE template0
       ENCODING ${quoteText(traits.encoding)} LC_COLLATE ${quoteText(traits.datcollate)}
       LC_CTYPE ${quoteText(traits.datctype)} ${localeClauses(traits)}
       TABLESPACE ${quoteName(traits.tablespace)} CONNECTION LIMIT ${traits.datconnlimit};`,
    { cluster, ...ADMIN, timeoutMs: CREATE_TIMEOUT_MS },
  );
}

/**
 * Settings whose value is a list of names: quoted as a whole it would be one name (pg_dump: variable_is_guc_list_quote).
 * What is stored is whatever a session held (`SET … FROM CURRENT` does not quote it), so each name is quoted anew.
 */
const LIST_SETTINGS = [
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
];

/** An expression for the names in a list, each as a string literal; an empty list is one empty name, as PostgreSQL has it. */
function listOf(value: string): string {
  return `coalesce((SELECT string_agg(quote_literal(coalesce(replace(m[1], '""', '"'), m[2])), ', ' ORDER BY n)
    FROM regexp_matches(${value}, '"((?:[^"]|"")*)"|([^,"[:space:]]+)', 'g') WITH ORDINALITY AS names(m, n)), '''''')`;
}

/** Gives the new database the old one's rights, settings and comment: a dump of a database does not hold them. */
export async function copyProperties(cluster: Cluster, { database, fresh }: RestoreNames): Promise<void> {
  const [old, made] = [quoteText(database), quoteText(fresh)];
  await runSql(
    `SELECT statement FROM (
       SELECT 1 AS place, format('REVOKE ALL ON DATABASE %I FROM PUBLIC', ${made}) AS statement
         FROM pg_database WHERE datname = ${old} AND datacl IS NOT NULL
       UNION ALL
       SELECT 2, format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, ${made},
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
         FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = ${old}
       UNION ALL
       SELECT 3, format('ALTER %s SET %I TO %s',
           CASE WHEN s.setrole = 0 THEN format('DATABASE %I', ${made})
             ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), ${made}) END,
           split_part(c, '=', 1),
           CASE WHEN split_part(c, '=', 1) IN (${LIST_SETTINGS.map(quoteText).join(', ')})
             THEN ${listOf("substr(c, strpos(c, '=') + 1)")} ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
         FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
         WHERE d.datname = ${old}
       UNION ALL
       SELECT 4, format('COMMENT ON DATABASE %I IS %L', ${made}, shobj_description(oid, 'pg_database'))
         FROM pg_database WHERE datname = ${old} AND shobj_description(oid, 'pg_database') IS NOT NULL
     ) statements ORDER BY place
\\gexec`,
    { cluster, ...ADMIN },
  );
}

/** Drops the new database if it is there. */
export async function dropFreshDatabase(cluster: Cluster, fresh: string): Promise<void> {
  await runSql(`DROP DATABASE IF EXISTS ${quoteName(fresh)} WITH (FORCE);`, {
    cluster,
    database: 'postgres',
  });
}

/** Arguments of pg_restore that fill a database from its stdin; the first error ends it. */
export function restoreArguments(cluster: Cluster, fresh: string): string[] {
  return ['--exit-on-error', ...clusterArguments(cluster), `--dbname=${fresh}`];
}

/** Fills a database from a compressed dump: decoded by the child, fed to pg_restore by a kernel pipe. Tells what went through. */
export async function fillDatabase(
  cluster: Cluster,
  fresh: string,
  dumpFile: string,
  signal: AbortSignal,
): Promise<StreamResult> {
  const programs = await programsFor(cluster, signal);
  const source = openSync(dumpFile, 'r');
  try {
    const [account, uploader] = [await postgresAccount(), await uploadAccount()];
    const restore = startProgram(
      { file: programs.file('pg_restore'), args: restoreArguments(cluster, fresh), account },
      ['pipe', 'ignore', 'pipe'],
    );
    killOnAbort(restore, signal);
    const ended = awaitEnd('pg_restore', restore);
    const sink = restore.stdin;
    if (!sink) throw new LamplighterError('internal', 'restore: pg_restore has no stdin');
    const child = startBackupChild(uploader, ['decode'], { stdin: source, stdout: sink }, signal);
    // The pipe is theirs now: held open here as well, pg_restore would never see its end.
    sink.destroy();
    mustHaveEndedWell(await Promise.all([ended, child.ended]));
    return await child.result();
  } catch (thrown) {
    throw adviseOnRestore(thrown);
  } finally {
    closeSync(source);
  }
}

/** Holds the filled database's row counts against the manifest. Throws `corrupt` with the first tables that differ. */
export async function checkRows(cluster: Cluster, fresh: string, manifest: BackupManifest): Promise<number> {
  const options = { cluster, database: fresh, timeoutMs: CHECK_TIMEOUT_MS };
  const keyOf = ({ schema, table }: { schema: string; table: string }) => JSON.stringify([schema, table]);
  const counted = (await runSql(COUNT_ROWS, options)).map((line) => TableCount.parse(JSON.parse(line)));
  const found = new Map(counted.map((table) => [keyOf(table), table.rows]));
  const expected = new Map(manifest.tables.map((table) => [keyOf(table), table.rows]));
  const wrong = [...new Set([...expected.keys(), ...found.keys()])].filter(
    (key) => found.get(key) !== expected.get(key),
  );
  if (wrong.length > 0) {
    const list = wrong
      .slice(0, MAX_TOLD)
      .map((key) => `${key}: ${found.get(key) ?? 'missing'}, expected ${expected.get(key) ?? 'none'}`);
    throw new LamplighterError('corrupt', `check ${fresh}: ${list.join('; ')}`, {
      details: { outcome: 'corrupt-backup' },
    });
  }
  await runSql('ANALYZE;', options);
  return [...found.values()].reduce((sum, rows) => sum + rows, 0);
}

interface Exchange {
  /** Stands there now. */
  name: string;
  /** Its new name. */
  aside: string;
  /** Takes its place. */
  successor: string;
}

/** Puts one database aside and another in its place, both or neither. */
async function exchange(cluster: Cluster, { name, aside, successor }: Exchange): Promise<void> {
  const [here, there, next] = [quoteName(name), quoteName(aside), quoteName(successor)];
  // A rename needs a database without sessions: strangers are kept out, then sent away.
  await runSql(
    `ALTER DATABASE ${here} ALLOW_CONNECTIONS false;
     ALTER DATABASE ${next} ALLOW_CONNECTIONS false;
     SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE datname IN (${quoteText(name)}, ${quoteText(successor)}) AND pid <> pg_backend_pid();
     BEGIN;
     ALTER DATABASE ${here} RENAME TO ${there};
     ALTER DATABASE ${next} RENAME TO ${here};
     COMMIT;`,
    { cluster, ...ADMIN },
  );
}

/** True when the new database stands in the old one's place. */
export async function isSwapped(cluster: Cluster, { fresh, kept }: RestoreNames): Promise<boolean> {
  const names = await existingDatabases(cluster);
  return names.includes(kept) && !names.includes(fresh);
}

/** Puts the new database in the old one's place and keeps the old one under its other name. */
export async function swapDatabases(cluster: Cluster, names: RestoreNames): Promise<void> {
  await exchange(cluster, { name: names.database, aside: names.kept, successor: names.fresh });
  await admitSessions(cluster, names);
}

/** Puts the old database back, if it was put aside; lets sessions in again in any case. */
export async function swapBack(cluster: Cluster, names: RestoreNames): Promise<void> {
  try {
    if (await isSwapped(cluster, names)) {
      await exchange(cluster, { name: names.database, aside: names.fresh, successor: names.kept });
    }
  } finally {
    // Also when a session that would not end kept the rename from happening: the services are started either way.
    await admitSessions(cluster, names);
  }
}

/** Lets sessions into the database and the one that is kept: a crash may have come between the swap and this. */
export async function admitSessions(
  cluster: Cluster,
  { database, kept }: Pick<RestoreNames, 'database' | 'kept'>,
): Promise<void> {
  const existing = await existingDatabases(cluster);
  const statements = [database, kept]
    .filter((name) => existing.includes(name))
    .map((name) => `ALTER DATABASE ${quoteName(name)} ALLOW_CONNECTIONS true;`);
  await runSql(statements.join('\n'), { cluster, ...ADMIN });
}
