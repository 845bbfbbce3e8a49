// What can be wrong with a scheduled job.
import * as z from 'zod';
import { defineCondition } from '../alert/condition.ts';
import { scheduledJobs } from './jobs.ts';

export const jobFailed = defineCondition({
  id: 'job-failed',
  kind: 'command',
  facts: z.lazy(() => z.object({ job: z.string() })),
  subject: ({ job }) => job,
  title: ({ job }) => `scheduled ${job} did not succeed`,
  nextSteps: () => [{ command: 'lamp commands', purpose: 'see what was run and how it ended' }],
  isStillMeant: (host, { job }, runbook) =>
    scheduledJobs(runbook).some((scheduled) => scheduled.name === job && scheduled.host === host),
});
