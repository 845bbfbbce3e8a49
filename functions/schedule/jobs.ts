// The runbook's scheduled jobs and their due times. Pure.
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import type { ScheduledOrder } from '#shared/operations/definition.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { latestOccurrence } from '#shared/schedule/occurrence.ts';
import type { ScheduleRun } from '../store/schedule-runs.ts';

export interface ScheduledJob extends ScheduledOrder {
  timezone: string;
  operation: string;
}

/** A time that was missed by more than this is not caught up. */
export const MAX_CATCH_UP_MS = 24 * 3_600_000;

/** All jobs that a runbook schedules. */
export function scheduledJobs(runbook: Runbook): ScheduledJob[] {
  return CATALOGUE.flatMap(({ name: operation, jobs }) =>
    (jobs?.(runbook) ?? []).map((job) => ({
      ...job,
      operation,
      timezone: runbook.hosts[job.host]?.timezone ?? 'UTC',
    })),
  );
}

/** The schedule of a run, as it is stored with the run. */
export function scheduleText({ cron, timezone }: ScheduledJob): string {
  return `${cron} ${timezone}`;
}

/**
 * The time that is due now, or undefined: the latest since the last run of the same schedule. For a new schedule it is the
 * latest since the runbook was applied, so that a changed schedule does not run for a time before it existed.
 */
export function dueTime(
  job: ScheduledJob,
  lastRun: ScheduleRun | undefined,
  appliedAt: Date,
  now: Date,
): Date | undefined {
  const isSameSchedule = lastRun?.schedule === scheduleText(job);
  const since = lastRun && isSameSchedule ? lastRun.scheduledFor : laterOf(appliedAt, lastRun?.scheduledFor);
  const after = laterOf(since, new Date(now.getTime() - MAX_CATCH_UP_MS));
  return latestOccurrence(job.cron, job.timezone, after, now);
}

function laterOf(a: Date, b: Date | undefined): Date {
  return b && b > a ? b : a;
}
