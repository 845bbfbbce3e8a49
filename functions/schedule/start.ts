// Starts the runbook's scheduled jobs, each at most once per scheduled time however often the tick comes, and raises an
// alert when one fails.
import { END_STATES } from '#shared/command/state.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, resolveAlert } from '../alert/change.ts';
import type { RequestCommand } from '../command/request.ts';
import type { Queryable } from '../store/database.ts';
import { type Lease, newLease } from '../store/lease.ts';
import type { CurrentRunbook } from '../store/runbooks.ts';
import {
  abandonRun,
  claimAbandonedRuns,
  type EndedRun,
  findLastRun,
  insertRun,
  isOutdatedRun,
  linkRun,
  listEndedRuns,
  type ScheduleRun,
  settleRun,
} from '../store/schedule-runs.ts';
import { jobFailed } from './conditions.ts';
import { dueTime, MAX_CATCH_UP_MS, type ScheduledJob, scheduledJobs, scheduleText } from './jobs.ts';

export type ScheduleDeps = AlertDeps & { requestCommand: RequestCommand };

type RunKey = Pick<ScheduleRun, 'job' | 'scheduledFor' | 'host'>;

interface Begun {
  job: ScheduledJob;
  run: RunKey;
  runbook: Runbook;
  lease: Lease;
}

/** Longer than requesting a command takes; after a kill a later tick takes the run over. */
const LEASE_MS = 60_000;

/** Starts the due jobs, and the runs that a killed tick left; returns the commands' ids. */
export async function startDueJobs(
  deps: ScheduleDeps,
  { runbook, appliedAt }: CurrentRunbook,
): Promise<string[]> {
  const now = deps.clock();
  const lease = newLease(now, LEASE_MS);
  const jobs = scheduledJobs(runbook);
  const started: string[] = [];
  for (const run of await claimAbandonedRuns(deps.db, lease)) {
    const job = jobs.find(({ name }) => name === run.job);
    const isTooOld = now.getTime() - run.scheduledFor.getTime() > MAX_CATCH_UP_MS;
    if (!job || isTooOld) await abandonRun(deps.db, run, job ? 'missed' : 'dropped', lease);
    else started.push(...(await start(deps, { job, run, runbook, lease })));
  }
  for (const job of jobs) {
    const scheduledFor = dueTime(job, await findLastRun(deps.db, job.name), appliedAt, now);
    if (!scheduledFor) continue;
    const run = { job: job.name, scheduledFor, schedule: scheduleText(job), host: job.host };
    const own = newLease(deps.clock(), LEASE_MS);
    if (await insertRun(deps.db, run, own))
      started.push(...(await start(deps, { job, run, runbook, lease: own })));
  }
  return started;
}

/** Requests the job's command. The idempotency key makes it one command, however often a run is started. */
async function start(deps: ScheduleDeps, { job, run, runbook, lease }: Begun): Promise<string[]> {
  try {
    const { id } = await deps.requestCommand({
      operation: job.operation,
      params: job.params,
      actor: { kind: 'schedule', name: job.name, role: 'operator' },
      dryRun: false,
      idempotencyKey: `schedule:${job.name}:${run.scheduledFor.toISOString()}`,
    });
    await linkRun(deps.db, run, id, lease);
    return [id];
  } catch (error) {
    // A later tick retries.
    if (!(error instanceof LamplighterError) || error.retryable) throw error;
    const text = `the command could not be requested: ${messageOf(error)}`;
    await endRun(deps, { run, outcome: 'refused', text, runbook }, (tx) =>
      abandonRun(tx, run, 'refused', lease),
    );
    return [];
  }
}

/** Records the ends of scheduled commands: a failure raises an alert, and the next success resolves it. */
export async function settleEndedRuns(deps: AlertDeps, runbook: Runbook): Promise<AlertChange[]> {
  const changes: AlertChange[] = [];
  for (const run of await listEndedRuns(deps.db, END_STATES)) {
    const end = { run, outcome: run.state, text: endText(run), runbook };
    changes.push(...(await endRun(deps, end, (tx) => settleRun(tx, run, run.state))));
  }
  return changes;
}

function endText({ state, code, message, commandId }: EndedRun): string {
  const why = [code, message].filter((part) => part !== null).join(': ');
  return `command ${commandId ?? ''} ${state}${why === '' ? '' : ` (${why})`}`;
}

interface RunEnd {
  run: RunKey;
  outcome: string;
  text: string;
  runbook: Runbook;
}

/** `write` stores the outcome and returns whether it did. */
async function endRun(
  deps: AlertDeps,
  { run, outcome, text, runbook }: RunEnd,
  write: (tx: Queryable) => Promise<boolean>,
): Promise<AlertChange[]> {
  const failed = jobFailed.on(run.host, { job: run.job });
  return await changeAlerts(deps, runbook, async (alerts) => {
    const { tx } = alerts;
    if (!(await write(tx)) || (await isOutdatedRun(tx, run))) return;
    if (outcome === 'succeeded') {
      await resolveAlert(alerts, failed, `scheduled ${run.job} succeeded: ${text}`);
      return;
    }
    const evidence = [`scheduled for ${run.scheduledFor.toISOString()}`, text];
    await raiseAlert(alerts, { ...failed, reason: text, evidence });
  });
}
