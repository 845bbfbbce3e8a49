// jobs.*: rows of a table of jobs that have been at work for too long.

import * as z from 'zod';
import { lookUp } from '../look-up.ts';
import { EntryName, Timestamp } from '../names.ts';
import type { Policy } from '../policy/policy.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict } from './definition.ts';
import { HostParameter, hostInParams, nameHost } from './host.ts';

/** At most this many rows are told, or reset, the oldest first. */
export const MAX_JOBS = 100;
export const MAX_JOBS_OF_ALL = 5000;

const JobsName = EntryName.describe('the table of jobs: a name under "jobs:" in the policy of the host');

/**
 * Both make and drop the same role of PostgreSQL's for a moment, so they wait for each other, and for a look by one that resets
 * something else.
 */
const ROLE_LOCK = 'jobs-role';
const LOCK_WAIT_MS = 30_000;

function permitJobs({ jobs: name }: { jobs: string }, { jobs, databases }: Policy): PolicyVerdict {
  const entry = lookUp(jobs, name);
  if (!entry) {
    const names = Object.keys(jobs);
    const known = names.length === 0 ? '' : ` (it has ${names.join(', ')})`;
    const add = `"${name}: {database: …, table: …, stuckStatus: …, resetTo: …}" under "jobs:"`;
    return forbid('not-in-policy', `the host's policy has no jobs ${name}${known}`, add);
  }
  if (lookUp(databases, entry.database)) return ALLOWED;
  const detail = `the host's policy has jobs ${name} in database ${entry.database}, and no such database`;
  return forbid('not-in-policy', detail, `"${entry.database}: {allow: []}" under "databases:"`);
}

const Where = { jobs: EntryName, database: z.string(), table: z.string() };

export const jobsStuck = defineOperation({
  name: 'jobs.stuck',
  summary: 'List the jobs that have been at work for too long',
  risk: 'read',
  // The keys of rows are data of the application's.
  role: 'responder',
  needsRoot: true,
  params: z.strictObject({ jobs: JobsName, host: HostParameter }),
  spec: z.lazy(() => z.strictObject({ jobs: EntryName })),
  result: z.lazy(() =>
    z.strictObject({
      ...Where,
      afterMin: z.int(),
      rows: z.array(
        z.strictObject({
          key: z.string(),
          status: z.string(),
          since: Timestamp,
          ageMs: z.int().nonnegative(),
        }),
      ),
      /** Further ones, which are younger. */
      more: z.int().nonnegative(),
    }),
  ),
  timeoutMs: 120_000,
  lockWaitMs: LOCK_WAIT_MS,
  canonical: hostInParams,
  resolve: ({ jobs, host }, context) => ({ host: nameHost(host, context), spec: { jobs } }),
  locks: () => [ROLE_LOCK],
  permit: permitJobs,
});

export const jobsReset = defineOperation({
  name: 'jobs.reset',
  summary: 'Give stuck jobs another status, so that they are done with or begun again',
  risk: 'change',
  params: z.strictObject({
    jobs: JobsName,
    all: z.boolean().default(false).describe(`reset all that are stuck, not only the oldest ${MAX_JOBS}`),
    host: HostParameter,
  }),
  spec: z.lazy(() => z.strictObject({ jobs: EntryName, all: z.boolean().default(false) })),
  result: z.lazy(() =>
    z.strictObject({
      ...Where,
      resetTo: z.string(),
      reset: z.array(z.strictObject({ key: z.string(), since: Timestamp })),
      /** Rows of the plan that did not match any more, or did not let themselves be changed. */
      left: z.array(z.strictObject({ key: z.string(), why: z.string() })),
      more: z.int().nonnegative(),
    }),
  ),
  timeoutMs: 5 * 60_000,
  lockWaitMs: LOCK_WAIT_MS,
  canonical: hostInParams,
  resolve: ({ jobs, all, host }, context) => ({ host: nameHost(host, context), spec: { jobs, all } }),
  locks: ({ jobs }) => [`jobs:${jobs}`, ROLE_LOCK],
  permit: permitJobs,
});
