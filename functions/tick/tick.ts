// The parts of one call of the scheduler. They don't depend on each other: a failure of one is reported at the end, and the
// others still run. Calls at the same time, repeated calls and calls after a kill do no harm: each part that changes
// something takes its own lease or lock.

import { createBudget, withinMs } from '#shared/kit/deadline.ts';
import { concludeEndedLines } from '../alert/conclude-line.ts';
import { publishOverdue } from '../alert/outbox.ts';
import { retireAlerts } from '../alert/retire.ts';
import { watchAnchors, watchTrailCheck } from '../audit/alert.ts';
import { askForAnchor } from '../audit/ask.ts';
import { orderOverdueVerifications } from '../backup/request.ts';
import { type LatestProvenBackup, watchBackups } from '../backup/watch.ts';
import { deleteOldResults } from '../check/retention.ts';
import { type RunDeps, runDueChecks } from '../check/run.ts';
import { watchUnjudged } from '../check/unjudged.ts';
import { type RequestDeps, requestCommand, resendRequestedCommands } from '../command/request.ts';
import { sweepCommands } from '../command/sweep.ts';
import { settleDenials } from '../denial/settle.ts';
import type { Deps } from '../deps.ts';
import { watchHeartbeats } from '../host/silence.ts';
import { settleEndedRuns, startDueJobs } from '../schedule/start.ts';
import { type CurrentRunbook, findRunbook } from '../store/runbooks.ts';
import { noteTick } from '../store/watching.ts';

export type TickDeps = RequestDeps &
  RunDeps &
  Pick<Deps, 'anchorAudit'> & { latestProvenBackup: LatestProvenBackup };

export interface TickReport {
  /** What each part did, by its name; parts that failed are missing. */
  did: Record<string, unknown>;
  failures: { part: string; error: unknown }[];
}

/** Ticks come every minute; a run of checks ends well before the next tick. */
const CHECKS_BUDGET_MS = 45_000;
const TICK_DEADLINE_MS = 50_000;
/** Two ticks may fail before the watcher counts as interrupted. */
const MAX_GAP_MS = 180_000;

interface Part {
  name: string;
  run: () => Promise<unknown>;
}

/** Runs one tick; never rejects for a part that failed. */
export async function runTick(deps: TickDeps): Promise<TickReport> {
  const report: TickReport = { did: {}, failures: [] };
  const budget = createBudget(TICK_DEADLINE_MS);
  const run = async ({ name, run: work }: Part): Promise<void> => {
    try {
      report.did[name] = await withinMs(Math.max(0, budget.remainingMs()), work());
    } catch (error) {
      report.failures.push({ part: name, error });
    }
  };
  const current = await findRunbook(deps.db);
  const watchingSince = await noteTick(deps.db, deps.clock(), MAX_GAP_MS);
  const checks = current ? [checksPart(deps, current)] : [];
  await Promise.all([
    ...checks.map(run),
    // In parallel: a slow `sign` must not delay the dead-man's switch or the schedule.
    run({ name: 'resent', run: () => resendRequestedCommands(deps) }),
    run({ name: 'anchored', run: () => askForAnchor(deps) }),
    inOrder([...deliveryParts(deps), ...(current ? recordParts(deps, current, watchingSince) : [])], run),
  ]);
  return report;
}

async function inOrder(parts: readonly Part[], run: (part: Part) => Promise<void>): Promise<void> {
  for (const part of parts) await run(part);
}

function checksPart(deps: TickDeps, { runbook }: CurrentRunbook): Part {
  const budget = createBudget(CHECKS_BUDGET_MS);
  return { name: 'checks', run: () => runDueChecks(deps, runbook, { budget }) };
}

function deliveryParts(deps: TickDeps): Part[] {
  return [
    { name: 'deliveries', run: () => publishOverdue(deps) },
    { name: 'swept', run: () => sweepCommands(deps) },
    { name: 'denials', run: () => settleDenials(deps) },
    // After the sweep, which ends commands that no host reports.
    { name: 'linesEnded', run: () => concludeEndedLines(deps) },
    { name: 'verifications', run: () => orderOverdueVerifications(deps) },
  ];
}

function recordParts(deps: TickDeps, current: CurrentRunbook, watchingSince: Date): Part[] {
  const { runbook } = current;
  const scheduling = {
    db: deps.db,
    clock: deps.clock,
    publisher: deps.publisher,
    requestCommand: (order: Parameters<typeof requestCommand>[1]) => requestCommand(deps, order),
  };
  return [
    { name: 'heartbeats', run: () => watchHeartbeats(deps, runbook, watchingSince) },
    { name: 'unjudged', run: () => watchUnjudged(deps, current, watchingSince) },
    { name: 'jobsEnded', run: () => settleEndedRuns(deps, runbook) },
    { name: 'jobsStarted', run: () => startDueJobs(scheduling, current) },
    { name: 'backups', run: () => watchBackups(deps, current, deps.latestProvenBackup) },
    { name: 'anchors', run: () => watchAnchors(deps, runbook, watchingSince) },
    { name: 'trailCheck', run: () => watchTrailCheck(deps, runbook, watchingSince) },
    { name: 'retired', run: () => retireAlerts(deps, runbook) },
    { name: 'deleted', run: () => deleteOldResults(deps) },
  ];
}
