// Stands in for Cloud Scheduler: HTTP targets called with its headers and an OIDC token. Differs from production: the
// period may be shorter than its one minute, there is no retry configuration (its default is none either), and jobs live
// in memory. A job still running when its next time comes skips that time, as there.
import { LamplighterError, messageOf } from '#shared/errors.ts';

export interface ScheduledJob {
  name: string;
  url: string;
  everyMs: number;
  body?: string;
  serviceAccountEmail: string;
}

export interface SchedulerOptions {
  jobs: readonly ScheduledJob[];
  mintIdToken(request: { serviceAccountEmail: string; audience: string }): Promise<string>;
  onFailure(job: string, message: string): void;
}

export interface Scheduler {
  /** Runs a job now, besides its schedule; throws when the target does not answer 2xx. */
  runNow(job: string): Promise<void>;
  close(): Promise<void>;
}

/** Cloud Scheduler's default attempt deadline for HTTP targets (cloud.google.com/scheduler/docs/reference/rest). */
const ATTEMPT_DEADLINE_MS = 180_000;

/** Starts all jobs; the first run of each comes at once. */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const abort = new AbortController();
  const running = new Map<string, Promise<void>>();
  const start = (job: ScheduledJob): void => {
    if (running.has(job.name) || abort.signal.aborted) return;
    const run = callTarget(job, options, abort.signal)
      .catch((error: unknown) => {
        if (!abort.signal.aborted) options.onFailure(job.name, messageOf(error));
      })
      .finally(() => running.delete(job.name));
    running.set(job.name, run);
  };
  const timers = options.jobs.map((job) => {
    start(job);
    return setInterval(start, job.everyMs, job);
  });
  return {
    runNow: async (name) => {
      const job = options.jobs.find((candidate) => candidate.name === name);
      if (!job) throw new LamplighterError('not-found', `run job ${name}: no scheduled job has that name`);
      await callTarget(job, options, abort.signal);
    },
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      abort.abort();
      await Promise.allSettled(running.values());
    },
  };
}

async function callTarget(job: ScheduledJob, options: SchedulerOptions, stop: AbortSignal): Promise<void> {
  const token = await options.mintIdToken({
    serviceAccountEmail: job.serviceAccountEmail,
    audience: job.url,
  });
  const response = await fetch(job.url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'user-agent': 'Google-Cloud-Scheduler',
      'x-cloudscheduler': 'true',
      'x-cloudscheduler-jobname': job.name,
      'x-cloudscheduler-scheduletime': new Date().toISOString(),
    },
    body: job.body ?? '{}',
    signal: AbortSignal.any([stop, AbortSignal.timeout(ATTEMPT_DEADLINE_MS)]),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new LamplighterError(
      'failed',
      `call ${job.url}: status ${response.status}: ${text.slice(0, 300)}`,
      {
        retryable: true,
      },
    );
  }
}
