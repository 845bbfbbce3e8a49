// Alerts about backups: the newest proven one is older than the runbook allows, or one was found to be corrupt.
import type { Runbook } from '#shared/runbook/schema.ts';
import { raiseBeside, settleBeside } from '../alert/beside.ts';
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, settleAlert } from '../alert/change.ts';
import { durationText } from '../alert/text.ts';
import type { StoredBackup } from '../store/backups.ts';
import type { Queryable } from '../store/database.ts';
import type { CurrentRunbook } from '../store/runbooks.ts';
import { findFirstAppliedAt } from '../store/watching.ts';

/** What of a backup can be proven at most: nobody in the cloud can look into an encrypted dump. */
type Level = 'intact' | 'verified';

/** Finds a host's newest backup of which at least so much was proven. */
export type LatestProvenBackup = (
  db: Queryable,
  host: string,
  least: Level,
) => Promise<Pick<StoredBackup, 'finishedAt' | 'proofState'> | undefined>;

export type FreshnessVerdict = { fresh: true } | { fresh: false; reason: string } | 'too-early';

const HOUR_MS = 3_600_000;

/** In the first hours of a runbook there can't be a backup yet. */
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

/** How the proof of a backup reads in a sentence. */
function provenText({ proofState }: Pick<StoredBackup, 'proofState'>): string {
  return proofState === 'intact' ? 'found intact (encrypted, so nobody looked into it)' : 'verified';
}

/** Holds the newest proven backup against the runbook: verified, or intact where the runbook wants dumps encrypted. */
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
  const key = { kind: 'backup', host: terms.host, subject: '' } as const;
  return await changeAlerts(deps, async (tx) => {
    if (newest && verdict.fresh) {
      const proven = `taken ${newest.finishedAt.toISOString()} and ${provenText(newest)}`;
      const change = await settleAlert(tx, key, `backup is fresh again: ${proven}`, runbook, now);
      return [change, ...(await settleCorrupt(tx, terms.host, newest, runbook, now))];
    }
    if (verdict.fresh) return [];
    const facts = { ...key, title: `no fresh backup of ${terms.database}`, reason: verdict.reason };
    return [await raiseAlert(tx, facts, runbook, now)];
  });
}

/** Within a host's backup alerts: those about backups that can't be trusted, one for each. */
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
  return await changeAlerts(deps, async (tx) => [
    await raiseBeside(tx, facts, backupId, runbook, deps.clock()),
  ]);
}

/** A proven backup that was taken after the alert says that backups work again. */
async function settleCorrupt(
  tx: Queryable,
  host: string,
  backup: Pick<StoredBackup, 'finishedAt' | 'proofState'>,
  runbook: Runbook,
  now: Date,
): Promise<(AlertChange | undefined)[]> {
  const takenAt = backup.finishedAt;
  return await settleBeside(
    tx,
    { kind: 'backup', host, subject: CORRUPT },
    `a later backup, taken ${takenAt.toISOString()}, was ${provenText(backup)}`,
    runbook,
    now,
    ({ firedAt }) => firedAt < takenAt,
  );
}
