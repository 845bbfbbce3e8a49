// Alerts about backups: the newest verified one is older than the runbook allows, or one was found to be corrupt.
import type { Runbook } from '#shared/runbook/schema.ts';
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, settleAlert } from '../alert/change.ts';
import { durationText } from '../alert/text.ts';
import { findFiringAlert } from '../store/alerts.ts';
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
      const change = await settleAlert(tx, key, resolution, runbook, now);
      return [change, await settleCorrupt(tx, terms.host, verdict.takenAt, runbook, now)];
    }
    const facts = { ...key, title: `no fresh backup of ${terms.database}`, reason: verdict.reason };
    return [await raiseAlert(tx, facts, runbook, now)];
  });
}

/** Within a host's backup alerts: the one about a backup that can't be trusted. */
const CORRUPT = 'corrupt';

export interface CorruptBackup {
  host: string;
  backupId: string;
  /** One line per fault. */
  faults: readonly string[];
}

/** Raises the alert about a backup that was found to be corrupt; a later one that is proven ends it. Safe to call again. */
export async function alertCorruptBackup(
  deps: AlertDeps,
  { host, backupId, faults }: CorruptBackup,
  runbook: Runbook,
): Promise<AlertChange[]> {
  const facts = {
    kind: 'backup',
    host,
    subject: CORRUPT,
    title: `backup ${backupId} is corrupt`,
    reason: faults[0] ?? 'it could not be verified',
    evidence: faults,
  } as const;
  return await changeAlerts(deps, async (tx) => [await raiseAlert(tx, facts, runbook, deps.clock())]);
}

/** A proven backup that was taken after the alert says that backups work again. */
async function settleCorrupt(
  tx: Queryable,
  host: string,
  takenAt: Date,
  runbook: Runbook,
  now: Date,
): Promise<AlertChange | undefined> {
  const key = { kind: 'backup', host, subject: CORRUPT } as const;
  const alert = await findFiringAlert(tx, key);
  if (!alert || alert.firedAt >= takenAt) return undefined;
  return await settleAlert(
    tx,
    key,
    `a later backup, taken ${takenAt.toISOString()}, was verified`,
    runbook,
    now,
  );
}
