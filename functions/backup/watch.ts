// Alerts about backups: the newest proven one is older than the runbook allows, or one was found to be corrupt.
import type { Runbook } from '#shared/runbook/schema.ts';
import {
  type AlertChange,
  type AlertChanges,
  type AlertDeps,
  changeAlerts,
  raiseAlert,
  resolveAlerts,
} from '../alert/change.ts';
import { durationText } from '../alert/text.ts';
import type { StoredBackup } from '../store/backups.ts';
import type { Queryable } from '../store/database.ts';
import type { CurrentRunbook } from '../store/runbooks.ts';
import { findFirstAppliedAt } from '../store/watching.ts';
import { backupCorrupt, backupStale } from './conditions.ts';

/** The strongest possible proof of a backup: the cloud can't decrypt an encrypted dump. */
type Level = 'intact' | 'verified';

/** Finds a host's newest backup with at least this proof. */
export type LatestProvenBackup = (
  db: Queryable,
  host: string,
  least: Level,
) => Promise<Pick<StoredBackup, 'finishedAt' | 'proofState'> | undefined>;

export type FreshnessVerdict = { fresh: true } | { fresh: false; reason: string } | 'too-early';

const HOUR_MS = 3_600_000;

/** In the first hours of a runbook there is no backup yet. */
export function judgeFreshness(
  takenAt: Date | undefined,
  maxAgeHours: number,
  firstAppliedAt: Date,
  now: Date,
  least: Level = 'verified',
): FreshnessVerdict {
  const maxAgeMs = maxAgeHours * HOUR_MS;
  if (takenAt && now.getTime() - takenAt.getTime() <= maxAgeMs) return { fresh: true };
  if (now.getTime() - firstAppliedAt.getTime() <= maxAgeMs) return 'too-early';
  const age = takenAt ? `is ${durationText(now.getTime() - takenAt.getTime())} old` : 'does not exist';
  const newest = least === 'intact' ? 'newest backup that was proven' : 'newest verified backup';
  return { fresh: false, reason: `the ${newest} ${age}, allowed ${maxAgeHours} h` };
}

/** The proof as words in a sentence. */
function provenText({ proofState }: Pick<StoredBackup, 'proofState'>): string {
  return proofState === 'intact' ? 'found intact (encrypted, so nobody looked into it)' : 'verified';
}

/** Checks the age of the newest proven backup: verified, or intact where the runbook encrypts dumps. */
export async function watchBackups(
  deps: AlertDeps,
  { runbook, appliedAt }: CurrentRunbook,
  latestProvenBackup: LatestProvenBackup,
): Promise<AlertChange[]> {
  const terms = runbook.backup;
  if (!terms) return [];
  const now = deps.clock();
  const firstAppliedAt = (await findFirstAppliedAt(deps.db)) ?? appliedAt;
  const least = terms.encryptDump ? 'intact' : 'verified';
  const newest = await latestProvenBackup(deps.db, terms.host, least);
  const verdict = judgeFreshness(newest?.finishedAt, terms.maxAgeHours, firstAppliedAt, now, least);
  if (verdict === 'too-early') return [];
  const { host, database } = terms;
  return await changeAlerts(deps, runbook, async (alerts) => {
    if (newest && verdict.fresh) {
      const proven = `taken ${newest.finishedAt.toISOString()} and ${provenText(newest)}`;
      await resolveAlerts(alerts, backupStale, host, `backup is fresh again: ${proven}`);
      await resolveCorrupt(alerts, host, newest);
    }
    if (verdict.fresh) return;
    await raiseAlert(alerts, { ...backupStale.on(host, { database }), reason: verdict.reason });
  });
}

export interface CorruptBackup {
  host: string;
  backupId: string;
  /** One line per fault. */
  faults: readonly string[];
}

/** Raises the alert about a corrupt backup; a later proven backup ends it. Safe to call again. */
export async function alertCorruptBackup(
  deps: AlertDeps,
  { host, backupId, faults }: CorruptBackup,
  runbook: Runbook,
): Promise<AlertChange[]> {
  const reason = faults[0] ?? 'it could not be verified';
  const symptom = { ...backupCorrupt.on(host, { backupId }), reason, evidence: faults };
  return await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom));
}

/** A proven backup taken after the alert shows that backups work again. */
async function resolveCorrupt(
  alerts: AlertChanges,
  host: string,
  backup: Pick<StoredBackup, 'finishedAt' | 'proofState'>,
): Promise<void> {
  const takenAt = backup.finishedAt;
  const resolution = `a later backup, taken ${takenAt.toISOString()}, was ${provenText(backup)}`;
  await resolveAlerts(alerts, backupCorrupt, host, resolution, ({ firedAt }) => firedAt < takenAt);
}
