// SQL scripts of a restore: as the superuser or as the restoring role, in the encoding of the dump, and with the errors that
// PostgreSQL reported where a script goes on after them.
import { LamplighterError } from '#shared/errors.ts';
import {
  type Cluster,
  clusterArguments,
  databaseArgument,
  NO_TRANSACTION_TIMEOUT,
  postgresAccount,
} from './postgres.ts';
import { newestProgram } from './postgres-programs.ts';
import { type Account, runProgram } from './process.ts';

/** A role that is not the superuser, and the account whose peer name it has. */
export interface Login {
  role: string;
  account: Account;
  /** Asked for only where the server does not go by the peer's name. */
  password: string;
}

export interface Session {
  cluster: Cluster;
  database: string;
  /** Default: the superuser. */
  login?: Login;
  /** Settings besides the usual ones, e.g. `event_triggers=off`. */
  settings?: readonly string[];
}

/** So that no setting of a database or role gets in between (`runSql` has the same). */
const SETTINGS = [
  'client_min_messages=error',
  'search_path=',
  'role=none',
  'default_transaction_read_only=off',
  'standard_conforming_strings=on',
  'statement_timeout=0',
  'idle_in_transaction_session_timeout=0',
  'lock_timeout=600000',
];

export interface SessionOptions {
  args: string[];
  account: Account;
  env: Record<string, string>;
}

/**
 * What one of PostgreSQL's programs is started with. The password is in the environment, which only root and the account
 * itself can read.
 */
export async function sessionOptions({
  cluster,
  database,
  login,
  settings = [],
}: Session): Promise<SessionOptions> {
  // Only a superuser may choose a language; the restoring role is made with its own.
  const language = login ? [] : ['lc_messages=C'];
  const options = [...SETTINGS, ...language, ...settings].map((setting) => `-c ${setting}`).join(' ');
  return {
    args: [...clusterArguments(cluster), ...(login ? ['-U', login.role] : []), databaseArgument(database)],
    account: login?.account ?? (await postgresAccount()),
    env: { PGOPTIONS: options, ...(login ? { PGPASSWORD: login.password } : {}) },
  };
}

export interface Script extends Session {
  /** A string that holds bytes, one character each (latin1). */
  sql: string;
  timeoutMs: number;
  signal?: AbortSignal;
  /** Default true. When false, errors are told in the answer. */
  stopsAtError?: boolean;
}

export interface ScriptAnswer {
  /** What was printed, one row a line. */
  rows: string[];
  /** Errors that it went on after, as PostgreSQL said them. */
  errors: string[];
}

/** From `-`, psql begins each complaint with the place in the script, in whatever language the server speaks. */
const PSQL_FLAGS = ['-X', '-q', '-A', '-t', '-v', 'VERBOSITY=terse', '-f', '-'];
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const MAX_SAID = 1000;
/** psql ends with it when a script stopped at an error. */
const EXIT_SCRIPT_ERROR = 3;

/** What psql said of statements that failed, without the place in the script. */
export function readErrors(stderr: string): string[] {
  return stderr.split('\n').flatMap((line) => {
    const said = /^psql:<stdin>:\d+: (.+)$/.exec(line)?.[1];
    return said === undefined || /^(?:WARNING|NOTICE|INFO|LOG|DEBUG): /.test(said) ? [] : [said];
  });
}

/** Runs a script. Throws `failed` with what PostgreSQL said when it stops at an error or there is no session. */
export async function runScript(script: Script): Promise<ScriptAnswer> {
  const { args, account, env } = await sessionOptions(script);
  const { stopsAtError = true, timeoutMs, signal } = script;
  const result = await runProgram({
    file: newestProgram('psql'),
    args: [...PSQL_FLAGS, '-v', `ON_ERROR_STOP=${stopsAtError ? 1 : 0}`, ...args],
    account,
    env,
    input: Buffer.from(`${NO_TRANSACTION_TIMEOUT}${script.sql}\n`, 'latin1'),
    timeoutMs,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    ...(signal ? { signal } : {}),
  });
  if (result.isTimedOut || signal?.aborted)
    throw new LamplighterError('timed-out', 'run psql: the script did not end in time');
  const said = readErrors(result.stderr);
  if (result.code !== 0) {
    const words = (said.length > 0 ? said.join('\n') : result.stderr).trim().slice(-MAX_SAID);
    const what =
      result.code === EXIT_SCRIPT_ERROR ? 'a statement failed' : `exit ${result.code ?? 'by a signal'}`;
    throw new LamplighterError('failed', `run psql: ${what}: ${words}`);
  }
  return { rows: result.stdout.split('\n').filter((line) => line !== ''), errors: said };
}
