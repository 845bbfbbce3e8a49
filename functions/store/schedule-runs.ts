// Runs of scheduled jobs: one row for each scheduled time, so that each time runs at most once.
import * as z from 'zod';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { GIVING_BACK, isFree, isHeldBy, type Lease, taking } from './lease.ts';

export const ScheduleRun = z.lazy(() =>
  z.object({
    job: z.string(),
    scheduledFor: z.date(),
    schedule: z.string(),
    host: z.string(),
    startedAt: z.date(),
    commandId: z.string().nullable(),
    outcome: z.string().nullable(),
  }),
);
export type ScheduleRun = z.infer<typeof ScheduleRun>;

const COLUMNS = `r.job, r.scheduled_for AS "scheduledFor", r.schedule, r.host, r.started_at AS "startedAt",
  r.command_id AS "commandId", r.outcome`;

/** A job's latest run. */
export async function findLastRun(db: Queryable, job: string): Promise<ScheduleRun | undefined> {
  return await queryRow(
    db,
    ScheduleRun,
    `SELECT ${COLUMNS} FROM schedule_runs r WHERE r.job = $1 ORDER BY r.scheduled_for DESC LIMIT 1`,
    [job],
  );
}

/** Starts the run of a scheduled time; false when it was started before. */
export async function insertRun(
  db: Queryable,
  run: Pick<ScheduleRun, 'job' | 'scheduledFor' | 'schedule' | 'host'>,
  { holder, now, until }: Lease,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO schedule_runs (job, scheduled_for, schedule, host, started_at, lease_holder, leased_until)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job, scheduled_for) DO NOTHING`,
    [run.job, run.scheduledFor, run.schedule, run.host, now, holder, until],
  );
  return rowCount > 0;
}

/** Takes over runs without a command whose tick was killed. */
export async function claimAbandonedRuns(
  db: Queryable,
  { holder, now, until }: Lease,
): Promise<ScheduleRun[]> {
  return await queryRows(
    db,
    ScheduleRun,
    `UPDATE schedule_runs r SET ${taking('$2', '$3')}
     WHERE (r.job, r.scheduled_for) IN (
       SELECT job, scheduled_for FROM schedule_runs
       WHERE outcome IS NULL AND command_id IS NULL AND ${isFree('$1')} FOR UPDATE SKIP LOCKED)
     RETURNING ${COLUMNS}`,
    [now, holder, until],
  );
}

/** Stores a run's command and gives the lease back. The command exists even when the lease was lost, so it is stored then, too. */
export async function linkRun(
  db: Queryable,
  run: Pick<ScheduleRun, 'job' | 'scheduledFor'>,
  commandId: string,
  { holder }: Pick<Lease, 'holder'>,
): Promise<void> {
  await db.query(
    `UPDATE schedule_runs SET command_id = $3,
       lease_holder = nullif(lease_holder, $4), leased_until = CASE WHEN ${isHeldBy('$4')} THEN NULL ELSE leased_until END
     WHERE job = $1 AND scheduled_for = $2 AND (${isHeldBy('$4')} OR command_id IS NULL)`,
    [run.job, run.scheduledFor, commandId, holder],
  );
}

/** Ends a run without a command; false when the lease was lost. */
export async function abandonRun(
  tx: Queryable,
  run: Pick<ScheduleRun, 'job' | 'scheduledFor'>,
  outcome: string,
  { holder }: Pick<Lease, 'holder'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE schedule_runs SET outcome = $3, ${GIVING_BACK}
     WHERE job = $1 AND scheduled_for = $2 AND ${isHeldBy('$4')}`,
    [run.job, run.scheduledFor, outcome, holder],
  );
  return rowCount > 0;
}

/** Stores the outcome of a run's command; false when this outcome was stored before. */
export async function settleRun(
  tx: Queryable,
  run: Pick<ScheduleRun, 'job' | 'scheduledFor'>,
  outcome: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'UPDATE schedule_runs SET outcome = $3 WHERE job = $1 AND scheduled_for = $2 AND outcome IS DISTINCT FROM $3',
    [run.job, run.scheduledFor, outcome],
  );
  return rowCount > 0;
}

const EndedRun = z.lazy(() =>
  ScheduleRun.unwrap().extend({
    state: z.string(),
    code: z.string().nullable(),
    message: z.string().nullable(),
  }),
);
export type EndedRun = z.infer<typeof EndedRun>;

/** True when a later run of the same job has an outcome: an older run says nothing about the job's current state. */
export async function isOutdatedRun(
  db: Queryable,
  { job, scheduledFor }: Pick<ScheduleRun, 'job' | 'scheduledFor'>,
): Promise<boolean> {
  const later = await queryRow(
    db,
    z.object({ job: z.string() }),
    'SELECT job FROM schedule_runs WHERE job = $1 AND scheduled_for > $2 AND outcome IS NOT NULL LIMIT 1',
    [job, scheduledFor],
  );
  return later !== undefined;
}

/**
 * Runs whose command has ended and whose stored outcome differs, in the order of their scheduled times. An end may be
 * replaced by the runner's signed one, or by a host's late report on a command that was given up.
 */
export async function listEndedRuns(db: Queryable, endStates: readonly string[]): Promise<EndedRun[]> {
  return await queryRows(
    db,
    EndedRun,
    `SELECT ${COLUMNS}, c.state, c.code, c.message
     FROM schedule_runs r JOIN commands c ON c.id = r.command_id
     WHERE r.outcome IS DISTINCT FROM c.state AND c.state = ANY ($1::text[]) ORDER BY r.scheduled_for`,
    [endStates],
  );
}
