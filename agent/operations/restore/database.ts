// The databases of a restore: a new one beside the old one, and the swap by rename.
import { type Cluster, quoteName, quoteText, runSql } from '../../host/postgres.ts';

/** Names of one restore: the database that is filled, and under which the old one is kept. */
export interface RestoreNames {
  database: string;
  fresh: string;
  kept: string;
}

/** With what is put behind it, a name stays within PostgreSQL's 63 bytes. */
const MAX_BASE_BYTES = 40;

function cutToBytes(text: string, maxBytes: number): string {
  let cut = '';
  for (const character of text) {
    if (Buffer.byteLength(cut + character) > maxBytes) break;
    cut += character;
  }
  return cut;
}

/** Names from the command's id, so that they are the same after a crash. */
export function restoreNames(database: string, commandId: string): RestoreNames {
  const tag = commandId.slice(-6);
  const base = cutToBytes(database, MAX_BASE_BYTES);
  return { database, fresh: `${base}_restore_${tag}`, kept: `${base}_before_${tag}` };
}

/** Which of these databases exist. */
export async function existingDatabases(cluster: Cluster): Promise<string[]> {
  return await runSql('SELECT datname FROM pg_database;', { cluster, database: 'postgres' });
}

const ADMIN = { database: 'postgres' };

const END_SESSIONS_S = 10;

/**
 * Ends all sessions of databases that accept no new ones, and waits for that (pg_terminate_backend waits by itself only since
 * PostgreSQL 14).
 */
function endSessions(names: readonly string[]): string {
  const which = `datname IN (${names.map(quoteText).join(', ')}) AND pid <> pg_backend_pid()`;
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${which};
    DO $wait$ BEGIN
      FOR i IN 1..${END_SESSIONS_S * 20} LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE ${which});
        PERFORM pg_sleep(0.05);
      END LOOP;
    END $wait$;`;
}

/**
 * Dropping waits for a checkpoint of the whole server and removes every file; after a time-out the server would go on by
 * itself.
 */
const DROP_TIMEOUT_MS = 2 * 3_600_000;

/** Drops a database if it is there, whoever is connected. */
export async function dropDatabase(cluster: Cluster, name: string): Promise<void> {
  if (!(await existingDatabases(cluster)).includes(name)) return;
  await runSql(
    `ALTER DATABASE ${quoteName(name)} ALLOW_CONNECTIONS false IS_TEMPLATE false;
     ${endSessions([name])}
     DROP DATABASE IF EXISTS ${quoteName(name)};`,
    { cluster, ...ADMIN, timeoutMs: DROP_TIMEOUT_MS },
  );
}

interface Exchange {
  /** The database that has the name now. */
  name: string;
  /** Its new name. */
  aside: string;
  /** The database that takes the name. */
  successor: string;
}

/** Puts one database aside and another in its place, both or neither. */
async function exchange(cluster: Cluster, { name, aside, successor }: Exchange): Promise<void> {
  const [here, there, next] = [quoteName(name), quoteName(aside), quoteName(successor)];
  // A rename needs a database without sessions: new ones are refused first, then the others are ended.
  await runSql(
    `ALTER DATABASE ${here} ALLOW_CONNECTIONS false;
     ALTER DATABASE ${next} ALLOW_CONNECTIONS false;
     ${endSessions([name, successor])}
     BEGIN;
     ALTER DATABASE ${here} RENAME TO ${there};
     ALTER DATABASE ${next} RENAME TO ${here};
     COMMIT;`,
    { cluster, ...ADMIN },
  );
}

function showSwapped(existing: readonly string[], { fresh, kept }: RestoreNames): boolean {
  return existing.includes(kept) && !existing.includes(fresh);
}

/** True when the new database stands in the old one's place. */
export async function isSwapped(cluster: Cluster, names: RestoreNames): Promise<boolean> {
  return showSwapped(await existingDatabases(cluster), names);
}

/** True when the owner lets nobody into a database (`ALLOW_CONNECTIONS false`). */
export async function isClosed(cluster: Cluster, database: string): Promise<boolean> {
  const query = `SELECT FROM pg_database WHERE NOT datallowconn AND datname = ${quoteText(database)}`;
  const [closed] = await runSql(`SELECT EXISTS (${query});`, { cluster, ...ADMIN });
  return closed === 't';
}

/** The databases of a restore, and whether the old one was closed before the restore began. */
export interface Swap extends RestoreNames {
  wasClosed: boolean;
}

/** Puts the new database in the old one's place and keeps the old one under its other name. */
export async function swapDatabases(cluster: Cluster, swap: Swap): Promise<void> {
  await exchange(cluster, { name: swap.database, aside: swap.kept, successor: swap.fresh });
  await admitSessions(cluster, swap);
}

/** Puts the old database back, if it was put aside; lets sessions in again in any case, unless it was closed before. */
export async function swapBack(cluster: Cluster, swap: Swap): Promise<void> {
  try {
    if (await isSwapped(cluster, swap)) {
      await exchange(cluster, { name: swap.database, aside: swap.fresh, successor: swap.kept });
    }
  } finally {
    // Also when a session that would not end kept the rename from happening: the services are started either way.
    await admitSessions(cluster, swap);
  }
}

/**
 * Lets sessions into the new database, and into the old one unless its owner had closed it, under whatever name each of
 * them stands: a crash may have come between the swap and this.
 */
export async function admitSessions(cluster: Cluster, swap: Swap): Promise<void> {
  const existing = await existingDatabases(cluster);
  const old = showSwapped(existing, swap) ? swap.kept : swap.database;
  const statements = [swap.database, swap.kept]
    .filter((name) => existing.includes(name))
    .map((name) => `ALTER DATABASE ${quoteName(name)} ALLOW_CONNECTIONS ${name !== old || !swap.wasClosed};`);
  await runSql(statements.join('\n'), { cluster, ...ADMIN });
}
