// Once a day the whole trail is compared with its anchors. A fault raises an alert and writes a log line for which Cloud
// Monitoring has a policy, since alerts go through the database, which the attacker may control.
import type { Deps } from '../deps.ts';
import { noteTrailCheck } from '../store/audit-anchor.ts';
import { findRunbook } from '../store/runbooks.ts';
import { alertTrail, type TrailFaults } from './alert.ts';
import { checkTrail, type TrailVerdict } from './check.ts';
import { coverageFault } from './coverage.ts';
import { readAnchors } from './read-anchors.ts';

export type DailyCheckDeps = Pick<Deps, 'db' | 'clock' | 'publisher' | 'log' | 'openBucket' | 'config'>;

/** The log line; terraform/monitoring.tf looks for this text. */
export const TRAIL_NOT_WHOLE = 'audit trail is not whole';

/** At most this many foreign objects are named, because a line of the log has a limit. */
const MAX_FOREIGN = 20;

export interface DailyFinding {
  verdict: TrailVerdict;
  /** Empty when the trail is whole and covered. */
  faults: TrailFaults;
}

/** Checks the trail and returns its faults. Throws `unavailable` when the bucket or the database can't be reached. */
export async function checkTrailDaily(deps: DailyCheckDeps): Promise<DailyFinding> {
  const bucket = await deps.openBucket(deps.config.get('BACKUP_BUCKET'));
  const { anchors, faults: foreign } = await readAnchors(bucket, deps.config.get('SIGNING_PUBLIC_KEYS'));
  const now = deps.clock();
  const verdict = await checkTrail(deps.db, { anchors, faults: [] }, now);
  const coverage = coverageFault(verdict, anchors, now);
  const faults: TrailFaults = {
    ...(verdict.intact ? {} : { entries: verdict.fault }),
    ...(foreign.length === 0
      ? {}
      : { foreign: foreign.slice(0, MAX_FOREIGN).map((fault) => `anchor ${fault}`) }),
    ...(coverage === undefined ? {} : { coverage }),
  };
  if (Object.keys(faults).length > 0)
    deps.log.error(TRAIL_NOT_WHOLE, { faults, foreignObjects: foreign.length });
  const current = await findRunbook(deps.db);
  if (current) await alertTrail(deps, faults, verdict.intact ? undefined : verdict.fact, current.runbook);
  await noteTrailCheck(deps.db, deps.clock());
  return { verdict, faults };
}
