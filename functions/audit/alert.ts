// Alerts about the audit trail: no anchor could be written for long, or the trail is not what the anchors say.
import { ANCHOR_PERIOD_MS } from '#shared/audit/anchor.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import {
  type AlertChange,
  type AlertDeps,
  changeAlerts,
  raiseAlert,
  resolveAlerts,
} from '../alert/change.ts';
import type { Condition } from '../alert/condition.ts';
import {
  findAuditHead,
  findLastAnchor,
  findLastTrailCheck,
  findNextEntryTime,
} from '../store/audit-anchor.ts';
import type { Queryable } from '../store/database.ts';
import {
  auditForeignObject,
  auditRewritten,
  auditUnanchored,
  auditUnchecked,
  auditUncovered,
  CONTROL_PLANE,
  findingName,
} from './conditions.ts';

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
  if (!since) return await settle(deps, auditUnanchored, 'the audit trail is anchored again', runbook);
  // An entry of the future is a clock that was wrong, or somebody who wants no alert: then its time says nothing.
  const isOfFuture = since.getTime() > now.getTime() + ANCHOR_PERIOD_MS;
  const from = isOfFuture ? watchingSince.getTime() : Math.max(since.getTime(), watchingSince.getTime());
  const waitingMs = now.getTime() - from;
  if (waitingMs < ANCHOR_PATIENCE_MS) return [];
  const reason = `its newest entries wait since ${since.toISOString()} for an anchor in the backup bucket; until there is one, the database's owner could rewrite them unnoticed`;
  const symptom = { ...auditUnanchored.on(CONTROL_PLANE, {}), reason };
  return await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom));
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
    condition: auditRewritten,
    resolution: 'the audit trail is whole again, as its anchors say',
  },
  {
    of: 'foreign',
    condition: auditForeignObject,
    resolution: 'all objects beside the audit anchors are anchors again',
  },
  {
    of: 'coverage',
    condition: auditUncovered,
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
  return await changeAlerts(deps, runbook, async (alerts) => {
    for (const { of, condition, resolution } of FAULT_ALERTS) {
      const reasons = [faults[of] ?? []].flat();
      if (reasons.length === 0) await resolveAlerts(alerts, condition, CONTROL_PLANE, resolution);
      for (const reason of reasons) {
        // What a text says of the trail's length changes with each check and is one fact.
        const occurrence = {
          entries: auditRewritten.on(CONTROL_PLANE, { finding: findingName(entriesFact ?? reason) }),
          foreign: auditForeignObject.on(CONTROL_PLANE, { finding: findingName(reason) }),
          coverage: auditUncovered.on(CONTROL_PLANE, {}),
        }[of];
        await raiseAlert(alerts, { ...occurrence, reason });
      }
    }
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
    return await settle(deps, auditUnchecked, 'the audit trail is checked again', runbook);
  }
  const since = Math.max(endedAt?.getTime() ?? 0, watchingSince.getTime());
  if (now.getTime() - since < CHECK_PATIENCE_MS) return [];
  const ended = endedAt ? `ended last at ${endedAt.toISOString()}` : 'has never ended';
  const reason = `the daily check of the trail ${ended}; look at the Cloud Scheduler job lamplighter-verify-daily and at the log of verify`;
  const symptom = { ...auditUnchecked.on(CONTROL_PLANE, {}), reason };
  return await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom));
}

async function settle(
  deps: AlertDeps,
  condition: Condition,
  resolution: string,
  runbook: Runbook,
): Promise<AlertChange[]> {
  return await changeAlerts(deps, runbook, (alerts) =>
    resolveAlerts(alerts, condition, CONTROL_PLANE, resolution),
  );
}
