// One run of the checks: takes the checks that are due, looks at their targets at the same time, and records each check as soon as its
// state is decided.

import type { Budget } from '#shared/kit/deadline.ts';
import { lookUp } from '#shared/look-up.ts';
import type { Check, Runbook } from '#shared/runbook/schema.ts';
import type { AlertDeps } from '../alert/change.ts';
import { type ClaimedCheck, claimChecks, releaseCheck, type WantedCheck } from '../store/checks.ts';
import { newLease } from '../store/lease.ts';
import { type Look, MAX_LOOK_MS, type ObserveDeps, observe, withDoubtResolved } from './observe.ts';
import { recordRun } from './record.ts';

export type RunDeps = AlertDeps & ObserveDeps;

/** Looks at the same time; each can hold a body of a mebibyte. */
const CONCURRENCY = 64;
/** Longer than any run lasts. When a run is killed, its checks wait this long. */
const LEASE_MS = 60_000;

export interface RunOptions {
  budget: Budget;
  /** Looks at every check that did not run since this time, due or not. */
  notSince?: Date;
}

interface Job {
  state: ClaimedCheck;
  check: Check;
  address: string;
}

/** Runs the checks that are due and that no other run holds; returns their names. */
export async function runDueChecks(
  deps: RunDeps,
  runbook: Runbook,
  { budget, notSince }: RunOptions,
): Promise<string[]> {
  const now = deps.clock();
  const lease = newLease(now, LEASE_MS);
  const states = await claimChecks(deps.db, wantedChecks(runbook, now, notSince), lease);
  const jobs = states.flatMap((state) => toJob(state, runbook));
  const ran: string[] = [];
  const doubtful: { job: Job; looks: Look[] }[] = [];
  let hasSeen = false;
  const record = async ({ state, check }: Job, looks: readonly Look[], isBlind: boolean): Promise<void> => {
    ran.push(state.check);
    const results = withDoubtResolved(looks, isBlind);
    await recordRun(deps, { name: state.check, check, lease, results }, runbook);
  };
  await inParallel(jobs, async (job) => {
    if (budget.remainingMs() < Math.min(job.check.timeoutMs, MAX_LOOK_MS)) {
      await releaseCheck(deps.db, job.state, lease);
      return;
    }
    const looks = await observe(deps, { ...job, confirmation: job.state }, budget);
    hasSeen ||= looks.some(({ verdict }) => verdict === 'good');
    if (looks.some(({ isPerhapsOurs }) => isPerhapsOurs)) doubtful.push({ job, looks });
    else await record(job, looks, false);
  });
  // Whether the watcher is cut off is known only after all other looks.
  await inParallel(doubtful, ({ job, looks }) => record(job, looks, !hasSeen));
  return ran.toSorted();
}

function wantedChecks(runbook: Runbook, now: Date, notSince: Date | undefined): WantedCheck[] {
  return Object.entries(runbook.checks).map(([name, check]) => ({
    check: name,
    host: check.host,
    dueBefore: notSince ?? dueBefore(check, false, now),
    dueBeforeTroubled: notSince ?? dueBefore(check, true, now),
  }));
}

/** A check in trouble is looked at this often, however rarely the runbook wants it looked at. */
const TROUBLED_EVERY_S = 60;
/** Ticks come a little early or late. Without this tolerance a check of every minute would sometimes wait for two. */
const MAX_EARLY_MS = 5000;

/** A check that last ran at or before this time is due. */
export function dueBefore(check: Pick<Check, 'everyS'>, isTroubled: boolean, now: Date): Date {
  const everyMs = (isTroubled ? Math.min(check.everyS, TROUBLED_EVERY_S) : check.everyS) * 1000;
  return new Date(now.getTime() - everyMs + Math.min(MAX_EARLY_MS, everyMs / 10));
}

function toJob(state: ClaimedCheck, runbook: Runbook): Job[] {
  const check = lookUp(runbook.checks, state.check);
  const address = check && lookUp(runbook.hosts, check.host)?.address;
  return check && address !== undefined ? [{ state, check, address }] : [];
}

/** Does the work for all items, CONCURRENCY at a time. When some fail, the others are still done, and the first failure is thrown. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
