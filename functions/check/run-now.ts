// Runs every check at once, when a person asks for it.
import type { CheckView } from '#shared/api/views.ts';
import { createBudget } from '#shared/kit/deadline.ts';
import { listLeasedChecks } from '../store/checks.ts';
import { requireRunbook } from '../store/runbooks.ts';
import { type RunDeps, runDueChecks } from './run.ts';
import { listCheckViews } from './view.ts';

const BUDGET_MS = 45_000;
const POLL_MS = 250;

/**
 * Runs all checks and returns their states. A check that another run holds is waited for and run again, unless that run
 * began after this call. Throws `conflict` before a runbook was applied.
 */
export async function runChecksNow(deps: RunDeps): Promise<CheckView[]> {
  const { runbook } = await requireRunbook(deps.db);
  const budget = createBudget(BUDGET_MS);
  const notSince = deps.clock();
  const names = Object.keys(runbook.checks);
  for (;;) {
    // Read before our run, which skips these checks: a lease that ends in between must not count as a look of ours.
    const held = await listLeasedChecks(deps.db, names, deps.clock());
    await runDueChecks(deps, runbook, { budget, notSince });
    if (held.length === 0 || budget.remainingMs() < POLL_MS) break;
    await deps.sleep(POLL_MS);
  }
  return await listCheckViews(deps.db, deps.clock());
}
