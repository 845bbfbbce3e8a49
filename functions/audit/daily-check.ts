// Once a day the whole trail is held against its anchors; whatever is wrong becomes an alert.
import type { Deps } from '../deps.ts';
import { findRunbook } from '../store/runbooks.ts';
import { alertTrail } from './alert.ts';
import { checkTrail, type TrailVerdict } from './check.ts';
import { readAnchors } from './read-anchors.ts';

export type DailyCheckDeps = Pick<Deps, 'db' | 'clock' | 'publisher' | 'log' | 'openBucket' | 'config'>;

/** Checks the trail, and gives the verdict. Throws `unavailable` when the bucket or the database could not be asked. */
export async function checkTrailDaily(deps: DailyCheckDeps): Promise<TrailVerdict> {
  const bucket = await deps.openBucket(deps.config.get('BACKUP_BUCKET'));
  const found = await readAnchors(bucket, deps.config.get('SIGNING_PUBLIC_KEYS'));
  const verdict = await checkTrail(deps.db, found);
  if (!verdict.intact) deps.log.warning('audit trail is not what was anchored', { fault: verdict.fault });
  const current = await findRunbook(deps.db);
  if (current) await alertTrail(deps, verdict, current.runbook);
  return verdict;
}
