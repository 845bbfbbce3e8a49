// Alerts about the audit trail: it was not anchored for a long time, or it contradicts its anchors.
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

/** The check runs once a day. */
const CHECK_PATIENCE_MS = 26 * 3_600_000;

/** At least six attempts have failed by then. */
const ANCHOR_PATIENCE_MS = 30 * 60_000;

/** When the oldest entry without an anchor was written, by the database's record; undefined when all are anchored. */
async function findUnanchoredSince(db: Queryable): Promise<Date | undefined> {
  const last = await findLastAnchor(db);
  const head = await findAuditHead(db);
  return head && head.seq !== last?.seq ? await findNextEntryTime(db, last?.seq ?? 0) : undefined;
}

/** Raises an alert when entries have waited too long for an anchor although ticks came; the next anchor resolves it. */
export async function watchAnchors(
  deps: AlertDeps,
  runbook: Runbook,
  watchingSince: Date,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const since = await findUnanchoredSince(deps.db);
  if (!since) return await settle(deps, auditUnanchored, 'the audit trail is anchored again', runbook);
  // A time in the future comes from a wrong clock, or from somebody who wants to prevent the alert, so it is ignored.
  const isOfFuture = since.getTime() > now.getTime() + ANCHOR_PERIOD_MS;
  const from = isOfFuture ? watchingSince.getTime() : Math.max(since.getTime(), watchingSince.getTime());
  const waitingMs = now.getTime() - from;
  if (waitingMs < ANCHOR_PATIENCE_MS) return [];
  const reason = `its newest entries wait since ${since.toISOString()} for an anchor in the backup bucket; until there is one, the database's owner could rewrite them unnoticed`;
  const symptom = { ...auditUnanchored.on(CONTROL_PLANE, {}), reason };
  return await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom));
}

/** The faults of the trail. Each has an alert of its own, so that a firing alert does not hide another fault. */
export interface TrailFaults {
  /** The first entry that was rewritten or removed, or can't be read. */
  entries?: string;
  /** Objects beside the anchors that are not anchors. */
  foreign?: string[];
  /** The anchors do not cover the latest entries. */
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

/** Raises and resolves alerts for a check's findings; `entriesFact` identifies the entries' fault. Safe to call again. */
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
        // The text contains the trail's length, which changes with each check, while the fact stays the same.
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

/** Raises an alert when no daily check has ended for a long time although ticks came; the next check resolves it. */
export async function watchTrailCheck(
  deps: AlertDeps,
  runbook: Runbook,
  watchingSince: Date,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const last = await findLastTrailCheck(deps.db);
  // A time in the future comes from a wrong clock, or from a row that somebody changed.
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
