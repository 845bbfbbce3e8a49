// Alerts about the audit trail: no anchor could be written for long, or the trail is not what the anchors say. They are
// about no host of the runbook, so they bear a name of their own.
import { ANCHOR_PERIOD_MS } from '#shared/audit/anchor.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { raiseBeside, settleBeside } from '../alert/beside.ts';
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, settleAlert } from '../alert/change.ts';
import {
  findAuditHead,
  findLastAnchor,
  findLastTrailCheck,
  findNextEntryTime,
} from '../store/audit-anchor.ts';
import type { Queryable } from '../store/database.ts';

const ABOUT = { kind: 'audit', host: 'control-plane' } as const;
const NOT_ANCHORED = { ...ABOUT, subject: 'anchor' };
const NOT_CHECKED = { ...ABOUT, subject: 'check' };

/** The check comes once a day. */
const CHECK_PATIENCE_MS = 26 * 3_600_000;

/** Six attempts and more have failed then. */
const ANCHOR_PATIENCE_MS = 30 * 60_000;

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
  // An entry of the future is a clock that was wrong, or somebody who wants no alert: then its time says nothing.
  const isOfFuture = since.getTime() > now.getTime() + ANCHOR_PERIOD_MS;
  const from = isOfFuture ? watchingSince.getTime() : Math.max(since.getTime(), watchingSince.getTime());
  const waitingMs = now.getTime() - from;
  if (waitingMs < ANCHOR_PATIENCE_MS) return [];
  const reason = `its newest entries wait since ${since.toISOString()} for an anchor in the backup bucket; until there is one, the database's owner could rewrite them unnoticed`;
  return await changeAlerts(deps, async (tx) => [
    await raiseAlert(tx, { ...NOT_ANCHORED, title: 'audit trail is not anchored', reason }, runbook, now),
  ]);
}

/** What is wrong with the trail, each with an alert of its own: one that fires must not hide what another would tell. */
export interface TrailFaults {
  /** The first entry that was rewritten or removed, or can't be read. */
  entries?: string;
  /** Objects beside the anchors that are none. */
  foreign?: string[];
  /** The anchors do not reach up to now. */
  coverage?: string;
}

const FAULT_ALERTS = [
  {
    of: 'entries',
    subject: 'trail',
    title: 'audit trail is not what was anchored',
    resolution: 'the audit trail is whole again, as its anchors say',
  },
  {
    of: 'foreign',
    subject: 'foreign',
    title: 'audit anchors are not all ours',
    resolution: 'all objects beside the audit anchors are anchors again',
  },
  {
    of: 'coverage',
    subject: 'coverage',
    title: 'audit trail is not covered by its anchors',
    resolution: 'the audit trail is covered by its anchors again',
  },
] as const;

/** Tells what a check of the trail found; `entriesFact` says which fact the entries' fault is. Safe to call again. */
export async function alertTrail(
  deps: AlertDeps,
  faults: TrailFaults,
  entriesFact: string | undefined,
  runbook: Runbook,
): Promise<AlertChange[]> {
  const now = deps.clock();
  return await changeAlerts(deps, async (tx) => {
    const changes: (AlertChange | undefined)[] = [];
    for (const { of, subject, title, resolution } of FAULT_ALERTS) {
      const key = { ...ABOUT, subject };
      const reasons = [faults[of] ?? []].flat();
      if (reasons.length === 0) changes.push(...(await settleBeside(tx, key, resolution, runbook, now)));
      for (const reason of reasons) {
        // What a text says of the trail's length, or of an age, changes with each check and is one fact.
        const fact = { entries: entriesFact ?? reason, foreign: reason, coverage: of }[of];
        changes.push(await raiseBeside(tx, { ...key, title, reason }, fact, runbook, now));
      }
    }
    return changes;
  });
}

/** Raises an alert when no daily check of the trail has ended for long while ticks came; the next one ends it. */
export async function watchTrailCheck(
  deps: AlertDeps,
  runbook: Runbook,
  watchingSince: Date,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const last = await findLastTrailCheck(deps.db);
  // A check of the future is a clock that was wrong, or a row that somebody changed.
  const endedAt = last && last <= now ? last : undefined;
  if (endedAt && now.getTime() - endedAt.getTime() < CHECK_PATIENCE_MS) {
    return await settle(deps, NOT_CHECKED, 'the audit trail is checked again', runbook);
  }
  const since = Math.max(endedAt?.getTime() ?? 0, watchingSince.getTime());
  if (now.getTime() - since < CHECK_PATIENCE_MS) return [];
  const ended = endedAt ? `ended last at ${endedAt.toISOString()}` : 'has never ended';
  const reason = `the daily check of the trail ${ended}; look at the Cloud Scheduler job lamplighter-verify-daily and at the log of verify`;
  return await changeAlerts(deps, async (tx) => [
    await raiseAlert(tx, { ...NOT_CHECKED, title: 'audit trail is not checked', reason }, runbook, now),
  ]);
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
