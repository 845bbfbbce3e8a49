// Backup freshness: an alert when the newest verified backup is older than the runbook allows.
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, settleAlert } from '../alert/change.ts';
import { durationText } from '../alert/text.ts';
import type { Queryable } from '../store/database.ts';
import type { CurrentRunbook } from '../store/runbooks.ts';
import { findFirstAppliedAt } from '../store/watching.ts';

/** Finds a host's newest backup that was proven, by when it was taken. */
export type LatestVerifiedBackup = (db: Queryable, host: string) => Promise<{ finishedAt: Date } | undefined>;

export type FreshnessVerdict =
  | { fresh: true; takenAt: Date }
  | { fresh: false; reason: string }
  | 'too-early';

const HOUR_MS = 3_600_000;

/** In the first hours of a runbook there can't be a backup yet. */
export function judgeFreshness(
  takenAt: Date | undefined,
  maxAgeHours: number,
  firstAppliedAt: Date,
  now: Date,
): FreshnessVerdict {
  const maxAgeMs = maxAgeHours * HOUR_MS;
  if (takenAt && now.getTime() - takenAt.getTime() <= maxAgeMs) return { fresh: true, takenAt };
  if (now.getTime() - firstAppliedAt.getTime() <= maxAgeMs) return 'too-early';
  const age = takenAt ? `is ${durationText(now.getTime() - takenAt.getTime())} old` : 'does not exist';
  return { fresh: false, reason: `the newest verified backup ${age}, allowed ${maxAgeHours} h` };
}

/** Holds the newest verified backup against the runbook. */
export async function watchBackups(
  deps: AlertDeps,
  { runbook, appliedAt }: CurrentRunbook,
  latestVerifiedBackup: LatestVerifiedBackup,
): Promise<AlertChange[]> {
  const terms = runbook.backup;
  if (!terms) return [];
  const now = deps.clock();
  const firstAppliedAt = (await findFirstAppliedAt(deps.db)) ?? appliedAt;
  const takenAt = (await latestVerifiedBackup(deps.db, terms.host))?.finishedAt;
  const verdict = judgeFreshness(takenAt, terms.maxAgeHours, firstAppliedAt, now);
  if (verdict === 'too-early') return [];
  const key = { kind: 'backup', host: terms.host, subject: '' } as const;
  return await changeAlerts(deps, async (tx) => {
    if (verdict.fresh) {
      const resolution = `backup is fresh again: taken ${verdict.takenAt.toISOString()} and verified`;
      return [await settleAlert(tx, key, resolution, runbook, now)];
    }
    const facts = { ...key, title: `no fresh backup of ${terms.database}`, reason: verdict.reason };
    return [await raiseAlert(tx, facts, runbook, now)];
  });
}
