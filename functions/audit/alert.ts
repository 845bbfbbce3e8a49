// Alerts about the audit trail: no anchor could be written for long, or the trail is not what the anchors say. They are
// about no host of the runbook, so they bear a name of their own.
import type { Runbook } from '#shared/runbook/schema.ts';
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, settleAlert } from '../alert/change.ts';
import { durationText } from '../alert/text.ts';
import { findAuditHead, findLastAnchor, findNextEntryTime } from '../store/audit-anchor.ts';
import type { Queryable } from '../store/database.ts';
import type { TrailVerdict } from './check.ts';

const ABOUT = { kind: 'audit', host: 'control-plane' } as const;
const NOT_ANCHORED = { ...ABOUT, subject: 'anchor' };
const NOT_WHOLE = { ...ABOUT, subject: 'trail' };

/** Six attempts and more have failed then. */
export const ANCHOR_PATIENCE_MS = 30 * 60_000;

/** When the oldest entry was written that no anchor covers, by our own record; undefined when there is none. */
async function findUnanchoredSince(db: Queryable): Promise<Date | undefined> {
  const last = await findLastAnchor(db);
  const head = await findAuditHead(db);
  return head && head.seq !== last?.seq ? await findNextEntryTime(db, last?.seq ?? 0) : undefined;
}

/** Raises an alert when entries wait for an anchor for too long while ticks came; the next anchor ends it. */
export async function watchAnchors(
  deps: AlertDeps,
  runbook: Runbook,
  watchingSince: Date,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const since = await findUnanchoredSince(deps.db);
  if (!since) return await settle(deps, NOT_ANCHORED, 'the audit trail is anchored again', runbook);
  const waitingMs = now.getTime() - Math.max(since.getTime(), watchingSince.getTime());
  if (waitingMs < ANCHOR_PATIENCE_MS) return [];
  const reason = `its newest entries wait since ${since.toISOString()} for an anchor in the backup bucket; until there is one, the database's owner could rewrite them unnoticed`;
  return await changeAlerts(deps, async (tx) => [
    await raiseAlert(tx, { ...NOT_ANCHORED, title: 'audit trail is not anchored', reason }, runbook, now),
  ]);
}

/** Tells what a check of the trail found. Safe to call again. */
export async function alertTrail(
  deps: AlertDeps,
  verdict: TrailVerdict,
  runbook: Runbook,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const fault = verdict.intact ? overdueFault(verdict.unanchoredSince, now) : verdict.fault;
  if (fault === undefined) {
    return await settle(deps, NOT_WHOLE, 'the audit trail is whole again, as its anchors say', runbook);
  }
  return await changeAlerts(deps, async (tx) => [
    await raiseAlert(
      tx,
      { ...NOT_WHOLE, title: 'audit trail is not what was anchored', reason: fault },
      runbook,
      now,
    ),
  ]);
}

/** The bucket's own word, against a record in the database that says otherwise. */
function overdueFault(unanchoredSince: Date | null, now: Date): string | undefined {
  if (!unanchoredSince) return undefined;
  const waitingMs = now.getTime() - unanchoredSince.getTime();
  if (waitingMs < 2 * ANCHOR_PATIENCE_MS) return undefined;
  return `no anchor in the bucket covers the entries from ${unanchoredSince.toISOString()} on (${durationText(waitingMs)})`;
}

async function settle(
  deps: AlertDeps,
  key: typeof NOT_ANCHORED,
  resolution: string,
  runbook: Runbook,
): Promise<AlertChange[]> {
  return await changeAlerts(deps, async (tx) => [
    await settleAlert(tx, key, resolution, runbook, deps.clock()),
  ]);
}
