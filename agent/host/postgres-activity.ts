// What PostgreSQL says of its sessions: pg_catalog alone, read as the account postgres.
import * as z from 'zod';
import { DbSession, MAX_CONNECTION_GROUPS, MAX_SESSIONS } from '#shared/operations/db.ts';
import { type Cluster, clusterArguments, postgresAccount, quoteText, runSql } from './postgres.ts';
import { newestProgram } from './postgres-programs.ts';
import { runProgram } from './process.ts';

const TIMEOUT_MS = 20_000;
const READY_TIMEOUT_S = 5;

/** Every statement is about the whole server, so no database of the users' has to be connected to. */
async function askCatalogue<T>(
  answer: z.ZodType<T>,
  sql: string,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<T> {
  const lines = await runSql(sql, { cluster, database: 'postgres', timeoutMs: TIMEOUT_MS, signal });
  return answer.parse(JSON.parse(lines.join('\n')));
}

/** Exit codes of pg_isready(1). */
const READY_ANSWERS = new Map<number | null, 'accepting' | 'rejecting'>([
  [0, 'accepting'],
  [1, 'rejecting'],
]);

/** Whether the server takes connections; nobody is logged in for it. Throws `unavailable` without pg_isready. */
export async function askReady(
  cluster: Cluster,
  signal: AbortSignal,
): Promise<'accepting' | 'rejecting' | 'no-answer'> {
  const { code } = await runProgram({
    file: newestProgram('pg_isready'),
    args: [
      ...clusterArguments(cluster).filter((word) => word !== '--no-password'),
      // With a name that the server does not know, it would write an error to its log.
      '--username=postgres',
      '--dbname=postgres',
      `--timeout=${READY_TIMEOUT_S}`,
    ],
    account: await postgresAccount(),
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  return READY_ANSWERS.get(code) ?? 'no-answer';
}

const Connections = z.strictObject({
  used: z.int(),
  maxConnections: z.int(),
  reserved: z.int(),
  groups: z.array(
    z.strictObject({ database: z.string(), user: z.string(), state: z.string(), connections: z.int() }),
  ),
  leftOut: z.int(),
});
export type Connections = z.infer<typeof Connections>;

/** `reserved_connections` came with PostgreSQL 16. */
const CONNECTIONS = `
  WITH groups AS (
    SELECT coalesce(datname, '') AS database, coalesce(usename, '') AS "user", coalesce(state, 'unknown') AS state,
        count(*) AS connections
      FROM pg_catalog.pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()
      GROUP BY 1, 2, 3),
  largest AS (SELECT * FROM groups ORDER BY connections DESC, database, "user", state LIMIT ${MAX_CONNECTION_GROUPS})
  SELECT pg_catalog.json_build_object(
    'used', (SELECT coalesce(sum(connections), 0) FROM groups),
    'maxConnections', pg_catalog.current_setting('max_connections')::int,
    'reserved', pg_catalog.current_setting('superuser_reserved_connections')::int
      + coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0),
    'groups', (SELECT coalesce(pg_catalog.json_agg(l), '[]') FROM largest l),
    'leftOut', greatest((SELECT count(*) FROM groups) - ${MAX_CONNECTION_GROUPS}, 0));`;

/** Connections of all databases, but for the one that asks. */
export async function readConnections(cluster: Cluster, signal: AbortSignal): Promise<Connections> {
  return await askCatalogue(Connections, CONNECTIONS, cluster, signal);
}

const Sessions = z.strictObject({ sessions: z.array(DbSession), leftOut: z.int() });
export type Sessions = z.infer<typeof Sessions>;

/** Ages never below 0: another clock tick may lie between two readings. */
function ageMs(since: string): string {
  return `greatest(0, pg_catalog.floor(1000 * extract(epoch FROM now.at - ${since})))::bigint`;
}

const sessionsOf = (database: string): string => `
  WITH now AS MATERIALIZED (SELECT pg_catalog.clock_timestamp() AS at),
  all_of AS MATERIALIZED (
    SELECT * FROM pg_catalog.pg_stat_activity
      WHERE datname = ${quoteText(database)} AND backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()),
  oldest AS (SELECT * FROM all_of ORDER BY xact_start NULLS LAST, backend_start, pid LIMIT ${MAX_SESSIONS})
  SELECT pg_catalog.json_build_object(
    'sessions', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
        'pid', o.pid,
        'user', coalesce(o.usename, ''),
        'application', coalesce(o.application_name, ''),
        'clientAddress', pg_catalog.host(o.client_addr),
        'state', coalesce(o.state, 'unknown'),
        'sessionMs', ${ageMs('o.backend_start')},
        'stateMs', ${ageMs('coalesce(o.state_change, o.backend_start)')},
        'transactionMs', CASE WHEN o.xact_start IS NOT NULL THEN ${ageMs('o.xact_start')} END,
        'queryMs', CASE WHEN o.state = 'active' THEN ${ageMs('coalesce(o.query_start, o.backend_start)')} END,
        'waitsFor', CASE WHEN o.state = 'active' THEN o.wait_event_type || ': ' || o.wait_event END,
        'blockedBy', CASE WHEN o.wait_event_type = 'Lock' THEN pg_catalog.to_json(pg_catalog.pg_blocking_pids(o.pid)) ELSE '[]' END)
      ORDER BY o.xact_start NULLS LAST, o.backend_start, o.pid), '[]')
      FROM oldest o, now),
    'leftOut', greatest((SELECT count(*) FROM all_of) - ${MAX_SESSIONS}, 0));`;

/** Sessions of a database, the oldest transactions first. */
export async function readSessions(
  cluster: Cluster,
  database: string,
  signal: AbortSignal,
): Promise<Sessions> {
  return await askCatalogue(Sessions, sessionsOf(database), cluster, signal);
}
