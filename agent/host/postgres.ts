// PostgreSQL's own programs on the host, as the OS account postgres over the local socket (peer authentication).
import type { ChildProcess } from 'node:child_process';
import { LamplighterError } from '#shared/errors.ts';
import { onLines } from '#shared/lines.ts';
import { findAccount } from './accounts.ts';
import { killOnAbort } from './joined.ts';
import { findPrograms, type Programs, psqlProgram } from './postgres-programs.ts';
import { type Account, runChecked, startProgram } from './process.ts';

export interface Cluster {
  socketDir: string;
  port: number;
}

const PSQL_FLAGS = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];

/** Arguments that address a cluster. */
export function clusterArguments({ socketDir, port }: Cluster): string[] {
  return ['-h', socketDir, '-p', String(port), '--no-password'];
}

/** The account that PostgreSQL trusts on its socket. */
export function postgresAccount(): Promise<Account> {
  return findAccount('postgres');
}

/**
 * The argument that names a database. Always a connection string: psql and pg_dump take a plain name that holds `=` or
 * begins like a URL for one.
 */
export function databaseArgument(database: string): string {
  return `--dbname=dbname='${database.replaceAll(/['\\]/g, '\\$&')}'`;
}

export interface SqlOptions {
  cluster: Cluster;
  database: string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/**
 * What a database or a role could set to its own ends: `role` would take the rights away, and with
 * `standard_conforming_strings` off a backslash in a literal would end its quoting.
 */
const OWN_SETTINGS = {
  role: 'none',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  lock_timeout: '10000',
  standard_conforming_strings: 'on',
  lc_messages: 'C',
};

function writeOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** The environment of pg_dump, pg_dumpall and pg_restore; what else a session of theirs needs they set by themselves. */
export const PROGRAM_ENV = { PGOPTIONS: writeOptions(OWN_SETTINGS) };

/**
 * As the environment of each session, so that no setting of a database or role gets in between: names are looked up in
 * pg_catalog alone, waiting for a lock has an end, nothing else is cut short, and text is UTF-8.
 */
const SESSION_ENV = {
  PGCLIENTENCODING: 'UTF8',
  PGOPTIONS: writeOptions({ ...OWN_SETTINGS, search_path: '' }),
};
/** Only PostgreSQL 17 and later know it; named in PGOPTIONS, it would end the sessions of older ones. */
const NO_TRANSACTION_TIMEOUT = `SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout' \\g /dev/null
`;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs statements and returns what they print, fields separated by `|`, one row a line. Text goes through stdin, never argv. */
export async function runSql(
  sql: string,
  { cluster, database, timeoutMs = 60_000, signal }: SqlOptions,
): Promise<string[]> {
  const output = await runChecked({
    file: psqlProgram(),
    args: [...PSQL_FLAGS, ...clusterArguments(cluster), databaseArgument(database)],
    account: await postgresAccount(),
    env: SESSION_ENV,
    input: `${NO_TRANSACTION_TIMEOUT}${sql}\n`,
    timeoutMs,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    ...(signal ? { signal } : {}),
  });
  return output.split('\n').filter((line) => line !== '');
}

/** The programs that fit a cluster's server. Throws `refused` or `unavailable` with what to install. */
export async function programsFor(cluster: Cluster, signal?: AbortSignal): Promise<Programs> {
  const [number] = await runSql('SHOW server_version_num;', {
    cluster,
    database: 'postgres',
    ...(signal ? { signal } : {}),
  });
  return await findPrograms(Math.floor(Number(number) / 10_000));
}

/** An identifier quoted for SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string quoted for SQL (standard_conforming_strings is on since PostgreSQL 9.1). */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Counts the rows of every table whose rows pg_dump writes: prints a JSON object with schema, table and rows for each. Not
 * those of children (ONLY), nor of an extension's own tables, but what an extension marks as its users' (extconfig).
 */
export const COUNT_ROWS = `SELECT format(
    'SELECT json_build_object(''schema'', %L::text, ''table'', %L::text, ''rows'', count(*)) FROM ONLY %I.%I %s',
    n.nspname, c.relname, n.nspname, c.relname, coalesce(own.condition, ''))
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT x.extcondition[i] AS condition FROM pg_extension x, generate_subscripts(x.extconfig, 1) i
    WHERE x.extconfig[i] = c.oid) own ON true
  WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND (own.condition IS NOT NULL OR NOT EXISTS (
      SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
  ORDER BY n.nspname, c.relname
\\gexec`;

export interface SnapshotSession {
  /** Name for pg_dump's --snapshot. */
  snapshot: string;
  query(sql: string): Promise<string[]>;
  /** Ends the session, and with it the snapshot. */
  close(): void;
}

const MARK = 'lamplighter-end-of-answer';

/** Opens a read-only session that holds one snapshot: what it counts is what pg_dump sees. */
export async function openSnapshot(options: SqlOptions): Promise<SnapshotSession> {
  const { cluster, database, signal } = options;
  const child = startProgram(
    {
      file: psqlProgram(),
      args: [...PSQL_FLAGS, ...clusterArguments(cluster), databaseArgument(database)],
      account: await postgresAccount(),
      env: SESSION_ENV,
    },
    ['pipe', 'pipe', 'pipe'],
  );
  killOnAbort(child, signal);
  const query = createDialogue(child);
  await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;');
  const [snapshot] = await query('SELECT pg_export_snapshot();');
  if (!snapshot) throw new LamplighterError('failed', `open snapshot of ${database}: PostgreSQL gave none`);
  return { snapshot, query, close: () => void child.kill('SIGTERM') };
}

/** One question after another over psql's pipes. */
function createDialogue(child: ChildProcess): (sql: string) => Promise<string[]> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  let lines: string[] = [];
  let waiting: { resolve(answer: string[]): void; reject(error: Error): void } | undefined;
  const fail = (): void =>
    waiting?.reject(new LamplighterError('failed', `ask PostgreSQL: ${said.trim() || 'the session ended'}`));
  child.once('error', fail);
  if (!child.stdout || !child.stdin) throw new LamplighterError('internal', 'ask PostgreSQL: no pipes');
  child.stdin.on('error', fail);
  onLines(child.stdout, (line) => {
    if (line !== MARK) lines.push(line);
    else {
      waiting?.resolve(lines);
      waiting = undefined;
      lines = [];
    }
  });
  child.once('close', fail);
  const { stdin } = child;
  return (sql) =>
    new Promise((resolve, reject) => {
      if (child.exitCode !== null)
        return reject(new LamplighterError('failed', 'ask PostgreSQL: the session has ended'));
      waiting = { resolve: (answer) => resolve(answer.filter((line) => line !== '')), reject };
      stdin.write(`${sql}\n\\echo ${MARK}\n`);
    });
}
