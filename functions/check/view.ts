// Checks as the API shows them; unknown when no run came lately.
import type { CheckView } from '#shared/api/views.ts';
import type { Check } from '#shared/runbook/schema.ts';
import { listCheckStates, type StoredCheck } from '../store/checks.ts';
import type { Queryable } from '../store/database.ts';
import { findRunbook } from '../store/runbooks.ts';

/** Without a result for so many periods, and this much longer, a check's state is unknown. */
const MISSED_PERIODS = 3;
const GRACE_MS = 120_000;

function viewOf(name: string, check: Check, state: StoredCheck | undefined, now: Date): CheckView {
  const base = { name, host: check.host, service: check.service ?? null };
  // The state on the old host says nothing about a check that moved.
  if (!state?.lastRunAt || state.host !== check.host) {
    return { ...base, state: 'unknown', since: null, lastRunAt: null, latencyMs: null, detail: null };
  }
  const ran = { ...base, lastRunAt: state.lastRunAt.toISOString(), latencyMs: state.latencyMs };
  const staleAfterMs = check.everyS * 1000 * MISSED_PERIODS + GRACE_MS;
  if (now.getTime() - state.lastRunAt.getTime() > staleAfterMs) {
    return { ...ran, state: 'unknown', since: ran.lastRunAt, detail: `no result since ${ran.lastRunAt}` };
  }
  return { ...ran, state: state.state, since: state.since?.toISOString() ?? null, detail: state.detail };
}

/** All checks of the runbook in force, in its order. */
export async function listCheckViews(db: Queryable, now: Date): Promise<CheckView[]> {
  const current = await findRunbook(db);
  const states = new Map((await listCheckStates(db)).map((state) => [state.check, state]));
  return Object.entries(current?.runbook.checks ?? {}).map(([name, check]) =>
    viewOf(name, check, states.get(name), now),
  );
}
