// The rows of a table of jobs: those that are stuck, giving them another status, and what became of them. All of it runs as a
// role that is no superuser. Keys are data of the users' and stand in no statement: they travel as hexadecimal digits.
import * as z from 'zod';
import { Timestamp } from '#shared/names.ts';
import type { JobTable } from '#shared/policy/jobs.ts';
import { type Cluster, quoteName, quoteText } from '../../host/postgres.ts';
import { type Login, runScript } from '../../host/sql-script.ts';
import { asBytes, MARK_RESET } from './role.ts';
import { quoteTable } from './table.ts';

const STATEMENT_MS = 60_000;
const TIMEOUT_MS = 90_000;
/** The users' tables may hold a lock for long; nobody waits here for more than this. */
const LOCK_MS = 10_000;

const StuckRow = z.strictObject({
  key: z.string().max(1000),
  status: z.string().max(1000),
  since: Timestamp,
  ageMs: z.int(),
  /** Where the row lay, and the transaction that wrote it: any later change gives it another one. */
  place: z.string(),
  version: z.string(),
});
export type StuckRow = z.infer<typeof StuckRow>;

export const StuckRows = z.strictObject({ rows: z.array(StuckRow), more: z.int() });
export type StuckRows = z.infer<typeof StuckRows>;

/** A session as the role of the jobs. */
export interface JobsSession {
  cluster: Cluster;
  entry: JobTable;
  login: Login;
  signal: AbortSignal;
}

async function askAs<T>(answer: z.ZodType<T>, sql: string, session: JobsSession): Promise<T> {
  const { cluster, entry, login, signal } = session;
  const { rows } = await runScript({
    cluster,
    database: entry.database,
    login,
    settings: [`statement_timeout=${STATEMENT_MS}`, `lock_timeout=${LOCK_MS}`],
    sql: asBytes(sql),
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  return answer.parse(JSON.parse(rows.join('\n')));
}

/** Rows that have the stuck status and are older than `afterMin`, the oldest first. */
export async function listStuck(session: JobsSession, afterMin: number, limit: number): Promise<StuckRows> {
  const { entry } = session;
  const [key, status, since] = [entry.key, entry.status, entry.since].map((name) => `t.${quoteName(name)}`);
  return await askAs(
    StuckRows,
    `WITH stuck AS MATERIALIZED (
      SELECT ${key}::text AS key, ${status}::text AS status, ${since}::timestamptz AS since, t.ctid::text AS place, t.xmin::text AS version
        FROM ${quoteTable(entry)} AS t
        WHERE ${status} = ${quoteText(entry.stuckStatus)} AND isfinite(${since})
          AND ${since} < now() - make_interval(mins => ${afterMin})),
    oldest AS (SELECT * FROM stuck ORDER BY since, key LIMIT ${limit})
    SELECT json_build_object(
      'rows', coalesce((SELECT json_agg(json_build_object('key', key, 'status', status,
          'since', to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'ageMs', floor(1000 * extract(epoch FROM now() - since))::bigint, 'place', place, 'version', version)
        ORDER BY since, key) FROM oldest), '[]'),
      'more', greatest((SELECT count(*) FROM stuck) - ${limit}, 0));`,
    session,
  );
}

/** The rows of a plan as a table of the statement. */
function planTable(rows: readonly StuckRow[]): string {
  const plan = rows.map(({ key, place, version }) => ({ key, place, version }));
  const hex = Buffer.from(JSON.stringify(plan), 'utf8').toString('hex');
  return `plan AS MATERIALIZED (SELECT key, place::tid AS place, version
    FROM json_to_recordset(convert_from(decode('${hex}', 'hex'), 'UTF8')::json) AS p(key text, place text, version text))`;
}

const Keys = z.array(z.string());

/** Gives those rows of a plan that nobody has written since the other status, in one transaction; their keys. */
export async function resetRows(session: JobsSession, rows: readonly StuckRow[]): Promise<string[]> {
  const { entry } = session;
  const status = quoteName(entry.status);
  return await askAs(
    Keys,
    `BEGIN;
    WITH ${planTable(rows)},
    done AS (UPDATE ${quoteTable(entry)} AS t SET ${status} = ${quoteText(entry.resetTo)} FROM plan p
      WHERE t.ctid = p.place AND t.xmin::text = p.version AND t.${quoteName(entry.key)}::text = p.key
        AND t.${status} = ${quoteText(entry.stuckStatus)} RETURNING p.key)
    SELECT coalesce(json_agg(key), '[]') FROM done;
    ${MARK_RESET}
    COMMIT;`,
    session,
  );
}

/** Puts back the status of those rows of a plan that the transaction `mark` wrote, and nobody since; their keys. */
export async function restoreRows(
  session: JobsSession,
  rows: readonly StuckRow[],
  mark: string,
): Promise<string[]> {
  const { entry } = session;
  const status = quoteName(entry.status);
  return await askAs(
    Keys,
    `WITH ${planTable(rows)},
    done AS (UPDATE ${quoteTable(entry)} AS t SET ${status} = ${quoteText(entry.stuckStatus)} FROM plan p
      WHERE t.${quoteName(entry.key)}::text = p.key AND t.xmin::text = ${quoteText(mark)}
        AND t.${status} = ${quoteText(entry.resetTo)} RETURNING p.key)
    SELECT coalesce(json_agg(key), '[]') FROM done;`,
    session,
  );
}

const Fates = z.array(
  z.strictObject({ key: z.string(), version: z.string().nullable(), status: z.string().nullable() }),
);
export type Fates = z.infer<typeof Fates>;

/** The rows of a plan as they are now; no version where a row is gone. */
export async function readFates(session: JobsSession, rows: readonly StuckRow[]): Promise<Fates> {
  const { entry } = session;
  return await askAs(
    Fates,
    `WITH ${planTable(rows)}
    SELECT coalesce(json_agg(json_build_object('key', p.key, 'version', t.xmin::text, 'status', t.${quoteName(entry.status)}::text)), '[]')
      FROM plan p LEFT JOIN ${quoteTable(entry)} AS t ON t.${quoteName(entry.key)}::text = p.key;`,
    session,
  );
}
