// States and results of checks. A run takes a check under a lease, so that ticks at the same time share the checks.
import * as z from 'zod';
import { CheckState } from '#shared/states.ts';
import { TROUBLED_STATES } from '../check/confirm.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { GIVING_BACK, isFree, isHeldBy, type Lease, taking } from './lease.ts';

export const StoredCheck = z.lazy(() =>
  z.object({
    check: z.string(),
    host: z.string(),
    state: CheckState,
    /** Since when the state holds. */
    since: z.date().nullable(),
    confirmed: CheckState.exclude(['unknown']).nullable(),
    confirmedSince: z.date().nullable(),
    streak: z.number(),
    lastRunAt: z.date().nullable(),
    latencyMs: z.number().nullable(),
    detail: z.string().nullable(),
  }),
);
export type StoredCheck = z.infer<typeof StoredCheck>;

const STATE_COLUMNS = `s.check_name AS "check", s.host, s.state, s.since, s.confirmed, s.confirmed_since AS "confirmedSince",
  s.streak, s.last_run_at AS "lastRunAt", s.latency_ms AS "latencyMs", s.detail`;

/** A check that a run wants, and the last run at or before which it is due. */
export interface WantedCheck {
  check: string;
  host: string;
  dueBefore: Date;
  /** The same for a check in trouble: TROUBLED_STATES. */
  dueBeforeTroubled: Date;
}

const ClaimedCheck = z.lazy(() => StoredCheck.unwrap().extend({ previousRunAt: z.date().nullable() }));
export type ClaimedCheck = z.infer<typeof ClaimedCheck>;

/**
 * Takes those of the wanted checks that are due and that no other run holds; returns their states. When a run is killed,
 * its checks are due as soon as its lease has ended.
 */
export async function claimChecks(
  db: Queryable,
  wanted: readonly WantedCheck[],
  { holder, now, until }: Lease,
): Promise<ClaimedCheck[]> {
  if (wanted.length === 0) return [];
  const names = wanted.map(({ check }) => check);
  const hosts = wanted.map(({ host }) => host);
  await db.query(
    `INSERT INTO check_states (check_name, host) SELECT * FROM unnest($1::text[], $2::text[])
     ON CONFLICT (check_name) DO NOTHING`,
    [names, hosts],
  );
  // A check that was moved to another host begins anew.
  await db.query(
    `UPDATE check_states s SET host = w.host, state = DEFAULT, since = DEFAULT, confirmed = DEFAULT,
       confirmed_since = DEFAULT, streak = DEFAULT, last_run_at = DEFAULT, latency_ms = DEFAULT, detail = DEFAULT,
       ${GIVING_BACK}
     FROM unnest($1::text[], $2::text[]) AS w (check_name, host)
     WHERE s.check_name = w.check_name AND s.host <> w.host`,
    [names, hosts],
  );
  return await queryRows(
    db,
    ClaimedCheck,
    `UPDATE check_states s SET ${taking('$4', '$6')}, last_run_at = $5
     FROM (
       SELECT c.check_name, c.last_run_at
       FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS w (check_name, due, due_troubled)
       JOIN check_states c USING (check_name)
       WHERE ${isFree('$5', 'c.')}
         AND (c.last_run_at IS NULL OR c.lease_holder IS NOT NULL OR c.last_run_at <=
              CASE WHEN c.state = ANY ($7) OR c.streak > 0 THEN w.due_troubled ELSE w.due END)
       ORDER BY c.check_name
       FOR UPDATE OF c SKIP LOCKED
     ) AS due
     WHERE s.check_name = due.check_name
     RETURNING ${STATE_COLUMNS}, due.last_run_at AS "previousRunAt"`,
    [
      names,
      wanted.map(({ dueBefore }) => dueBefore),
      wanted.map(({ dueBeforeTroubled }) => dueBeforeTroubled),
      holder,
      now,
      until,
      TROUBLED_STATES,
    ],
  );
}

/** Gives back a check that was taken and not looked at. The check stays due. */
export async function releaseCheck(
  db: Queryable,
  { check, previousRunAt }: Pick<ClaimedCheck, 'check' | 'previousRunAt'>,
  { holder }: Pick<Lease, 'holder'>,
): Promise<void> {
  await db.query(
    `UPDATE check_states SET ${GIVING_BACK}, last_run_at = $3 WHERE check_name = $1 AND ${isHeldBy('$2')}`,
    [check, holder, previousRunAt],
  );
}

/** The state of a check that the run still holds, locked; undefined when the lease was lost. */
export async function lockHeldCheck(
  tx: Queryable,
  check: string,
  { holder }: Pick<Lease, 'holder'>,
): Promise<StoredCheck | undefined> {
  return await queryRow(
    tx,
    StoredCheck,
    `SELECT ${STATE_COLUMNS} FROM check_states s WHERE s.check_name = $1 AND ${isHeldBy('$2', 's.')} FOR UPDATE`,
    [check, holder],
  );
}

/** Stores a check's state and gives the lease back. */
export async function saveCheck(tx: Queryable, check: Omit<StoredCheck, 'lastRunAt'>): Promise<void> {
  await tx.query(
    `UPDATE check_states SET state = $2, since = $3, confirmed = $4, confirmed_since = $5, streak = $6, latency_ms = $7,
       detail = $8, ${GIVING_BACK}
     WHERE check_name = $1`,
    [
      check.check,
      check.state,
      check.since,
      check.confirmed,
      check.confirmedSince,
      check.streak,
      check.latencyMs,
      check.detail,
    ],
  );
}

export const CheckResult = z.lazy(() =>
  z.object({
    at: z.date(),
    verdict: z.enum(['good', 'bad', 'unknown']),
    reason: z.string(),
    latencyMs: z.number().nullable(),
  }),
);
export type CheckResult = z.infer<typeof CheckResult>;

/** Adds a run's results. */
export async function insertCheckResults(
  tx: Queryable,
  check: string,
  host: string,
  results: readonly CheckResult[],
): Promise<void> {
  await tx.query(
    `INSERT INTO check_results (check_name, host, at, verdict, reason, latency_ms)
     SELECT $1, $2, * FROM unnest($3::timestamptz[], $4::text[], $5::text[], $6::float8[])`,
    [
      check,
      host,
      results.map(({ at }) => at),
      results.map(({ verdict }) => verdict),
      results.map(({ reason }) => reason),
      results.map(({ latencyMs }) => latencyMs),
    ],
  );
}

/** A check's last results, the newest last. */
export async function listCheckResults(db: Queryable, check: string, limit: number): Promise<CheckResult[]> {
  const rows = await queryRows(
    db,
    CheckResult,
    `SELECT at, verdict, reason, latency_ms AS "latencyMs" FROM check_results
     WHERE check_name = $1 ORDER BY at DESC, id DESC LIMIT $2`,
    [check, limit],
  );
  return rows.toReversed();
}

/** Those of the checks that have no good or bad verdict since their time. */
export async function listUnjudgedChecks(
  db: Queryable,
  wanted: readonly { check: string; host: string; since: Date }[],
): Promise<string[]> {
  const rows = await queryRows(
    db,
    z.object({ check: z.string() }),
    `SELECT w.check_name AS "check"
     FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS w (check_name, host, since)
     WHERE NOT EXISTS (
       SELECT FROM check_results r
       WHERE r.check_name = w.check_name AND r.host = w.host AND r.at > w.since AND r.verdict <> 'unknown')`,
    [wanted.map(({ check }) => check), wanted.map(({ host }) => host), wanted.map(({ since }) => since)],
  );
  return rows.map(({ check }) => check);
}

/** The states of all checks that ever ran. */
export async function listCheckStates(db: Queryable): Promise<StoredCheck[]> {
  return await queryRows(
    db,
    StoredCheck,
    `SELECT ${STATE_COLUMNS} FROM check_states s ORDER BY s.check_name`,
  );
}

/** Those of the checks that a run holds now. */
export async function listLeasedChecks(
  db: Queryable,
  checks: readonly string[],
  now: Date,
): Promise<string[]> {
  const rows = await queryRows(
    db,
    z.object({ check: z.string() }),
    `SELECT check_name AS "check" FROM check_states WHERE check_name = ANY ($1) AND leased_until > $2`,
    [checks, now],
  );
  return rows.map(({ check }) => check);
}

/** Deletes one batch of results from before the time; returns how many. */
export async function deleteCheckResults(db: Queryable, before: Date, batch: number): Promise<number> {
  const { rowCount } = await db.query(
    'DELETE FROM check_results WHERE id IN (SELECT id FROM check_results WHERE at < $1 ORDER BY at LIMIT $2)',
    [before, batch],
  );
  return rowCount;
}
