// A private PostgreSQL server for the local stack and the tests: the real program, on loopback only, with a password.
// Differs from production in that the one role is a superuser and that there is no TLS.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { findFreePort } from '#local/ports.ts';
import { endProcess, hasEnded, lookUntil } from '#local/wait.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { stopLeftover } from './leftover.ts';
import { type Account, findPostgres, type PostgresPrograms, serverAccount } from './programs.ts';
import { PROGRAM_ENV, runToEnd } from './run.ts';

export interface ClusterOptions {
  /** The server's home; made when missing. Its data, its password and its log are in it. */
  dataDir: string;
  port?: number;
  /** Off only where losing the data does not matter: tests. */
  fsync: boolean;
  /** Default 100, PostgreSQL's own. */
  maxConnections?: number;
}

export interface Cluster {
  port: number;
  /** Connection URL of a database. */
  url(database: string): string;
  /** Creates the database when it is missing; its URL. */
  ensureDatabase(name: string): Promise<string>;
  /** Fast shutdown: sessions are ended, everything is written. */
  close(): Promise<void>;
}

interface Place {
  data: string;
  passwordFile: string;
  logFile: string;
  programs: PostgresPrograms;
  account: Account | undefined;
}

const LOOPBACK = '127.0.0.1';
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;
const SETPRIV = '/usr/bin/setpriv';

/** Starts the server of `dataDir`, whose data is made first when it is missing. A server that a killed owner left is stopped. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const place = openPlace(options.dataDir);
  if (!existsSync(join(place.data, 'PG_VERSION'))) await initialise(place);
  await stopLeftover(place.data, place.programs, place.account);
  const password = readFileSync(place.passwordFile, 'utf8').trim();
  const port = options.port ?? (await findFreePort(LOOPBACK));
  const server = spawnServer(place, port, options);
  const url = (database: string) => `postgresql://lamplighter:${password}@${LOOPBACK}:${port}/${database}`;
  const close = () => stopServer(server);
  try {
    await waitUntilReady(url('postgres'), server, place.logFile);
  } catch (error) {
    await close();
    throw error;
  }
  return { port, url, ensureDatabase: (name) => ensureDatabase(url, name), close };
}

function openPlace(dir: string): Place {
  const [programs, account] = [findPostgres(), serverAccount()];
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (account) {
    chownSync(dir, account.uid, account.gid);
    assertReachable(dir, account);
  }
  return {
    data: join(dir, 'data'),
    passwordFile: join(dir, 'password'),
    logFile: join(dir, 'server.log'),
    programs,
    account,
  };
}

/** When we run as root the server runs under another account, which must be able to reach its directory. */
function assertReachable(dir: string, { uid, gid }: Account): void {
  for (let parent = dirname(resolve(dir)); parent !== dirname(parent); parent = dirname(parent)) {
    const { mode, uid: owner, gid: group } = statSync(parent);
    const isOpen = (mode & 0o001) !== 0 || (owner === uid && (mode & 0o100) !== 0);
    if (isOpen || (group === gid && (mode & 0o010) !== 0)) continue;
    throw new LamplighterError(
      'not-allowed',
      `start database in ${dir}: the account postgres is not allowed to enter ${parent}`,
      {
        hint: `Choose a directory elsewhere, or: chmod o+x ${parent}`,
      },
    );
  }
}

async function initialise({ programs, account, ...place }: Place): Promise<void> {
  // A killed initdb leaves files behind that make the next one fail.
  rmSync(place.data, { recursive: true, force: true });
  writeFileSync(place.passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
  if (account) chownSync(place.passwordFile, account.uid, account.gid);
  const fresh = `${place.data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const args = ['-D', fresh, '-U', 'lamplighter', '--auth=scram-sha-256', `--pwfile=${place.passwordFile}`];
  args.push('--encoding=UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions');
  await runToEnd(programs.initdb, args, account);
  renameSync(fresh, place.data);
}

/** For data that lives for minutes: nothing is flushed to the disk, and autovacuum is off. */
const UNLASTING = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' };

function spawnServer(
  { programs, account, ...place }: Place,
  port: number,
  { fsync, maxConnections = 100 }: ClusterOptions,
): ChildProcess {
  const settings = {
    listen_addresses: LOOPBACK,
    port: String(port),
    unix_socket_directories: '',
    shared_buffers: '64MB',
    max_connections: String(maxConnections),
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'off',
    ...(fsync ? {} : UNLASTING),
  };
  const args = [
    '-D',
    place.data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  // Where the kernel offers it, the server ends with its killed owner (SIGINT: fast shutdown).
  const [file, ...rest] = existsSync(SETPRIV)
    ? [SETPRIV, '--pdeathsig', 'INT', '--', programs.postgres, ...args]
    : [programs.postgres, ...args];
  const log = openSync(place.logFile, 'a', 0o600);
  try {
    return spawn(file ?? programs.postgres, rest, {
      ...account,
      cwd: '/',
      env: PROGRAM_ENV,
      stdio: ['ignore', log, log],
      // A Ctrl-C in the terminal must reach the owner only, which then stops the server.
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

async function waitUntilReady(url: string, server: ChildProcess, logFile: string): Promise<void> {
  let reason = '';
  const hint = `See the server's log: ${logFile}`;
  const connect = async (): Promise<true | undefined> => {
    if (hasEnded(server))
      throw new LamplighterError(
        'unavailable',
        'start database: the server ended before it accepted connections',
        { hint },
      );
    try {
      return await withClient(url, async () => true as const);
    } catch (error) {
      reason = messageOf(error);
      return undefined;
    }
  };
  if (!(await lookUntil(connect, { withinMs: START_DEADLINE_MS, everyMs: 50 })))
    throw new LamplighterError('timed-out', `start database: ${reason}`, { hint });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const DUPLICATE_DATABASE = '42P04';

async function ensureDatabase(url: (database: string) => string, name: string): Promise<string> {
  return await withClient(url('postgres'), async (client) => {
    const known = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (known.rowCount === 0) {
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`).catch((error: unknown) => {
        if (!(error instanceof pg.DatabaseError) || error.code !== DUPLICATE_DATABASE) throw error;
      });
    }
    return url(name);
  });
}

async function stopServer(server: ChildProcess): Promise<void> {
  await endProcess(server, {
    ask: () => server.kill('SIGINT'),
    // Ends the server without a checkpoint; it recovers from its log at the next start.
    force: () => server.kill('SIGQUIT'),
    graceMs: STOP_DEADLINE_MS,
  });
}
