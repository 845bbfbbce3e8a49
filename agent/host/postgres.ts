// PostgreSQL's own programs on the host, as the OS account postgres over the local socket (peer authentication).
import type { ChildProcess } from 'node:child_process';
import { findAccount } from './accounts.ts';
import { findPrograms, newestProgram, type Programs } from './postgres-programs.ts';
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
/**
 * First in each session, ends with a new line. Only PostgreSQL 17 and later know the setting; named in PGOPTIONS, it would end
 * the sessions of older ones.
 */
export const NO_TRANSACTION_TIMEOUT = `SELECT pg_catalog.set_config('transaction_timeout', '0', false)
  WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL \\g /dev/null
`;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Runs statements and returns what they print, fields separated by `|`, one row a line. Text goes through stdin, never argv.
 */
export async function runSql(
  sql: string,
  { cluster, database, timeoutMs = 60_000, signal }: SqlOptions,
): Promise<string[]> {
  const output = await runChecked({
    file: newestProgram('psql'),
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

/** Starts psql with its pipes open, for a session of several questions. */
export async function startPsql({
  cluster,
  database,
}: Pick<SqlOptions, 'cluster' | 'database'>): Promise<ChildProcess> {
  const program = {
    file: newestProgram('psql'),
    args: [...PSQL_FLAGS, ...clusterArguments(cluster), databaseArgument(database)],
    account: await postgresAccount(),
    env: SESSION_ENV,
  };
  return startProgram(program, ['pipe', 'pipe', 'pipe']);
}

const found = new WeakMap<Cluster, Programs>();

/**
 * The programs that fit a cluster's server. Throws `refused` or `unavailable` with what to install. A process, which lives for
 * one command, asks once for each entry of its policy.
 */
export async function programsFor(cluster: Cluster, signal?: AbortSignal): Promise<Programs> {
  const programs = found.get(cluster) ?? (await lookUpPrograms(cluster, signal));
  found.set(cluster, programs);
  return programs;
}

async function lookUpPrograms(cluster: Cluster, signal?: AbortSignal): Promise<Programs> {
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
