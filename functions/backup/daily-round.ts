// The daily round verifies again: each host's newest backup, backups whose round was never closed (a lost message, a
// missing manifest), and backups of which a proven object is missing or was replaced.
import type { Bucket } from '@google-cloud/storage';
import type { Deps } from '../deps.ts';
import { listProvenObjects, type ProvenObject } from '../store/backup-parts.ts';
import { listDueBackups, type StoredBackup } from '../store/backups.ts';
import { listGenerations } from './bucket-object.ts';
import { verifyAgain } from './request.ts';

/** Without a retention rule on the bucket, a backup younger than this must exist. */
const EXPECTED_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

type BackupName = Pick<StoredBackup, 'host' | 'id'>;

async function findChanged(bucket: Bucket, objects: readonly ProvenObject[]): Promise<ProvenObject[]> {
  const byHost = Map.groupBy(objects, ({ host }) => host);
  const changed = await Promise.all(
    [...byHost].map(async ([host, proven]) => {
      const present = await listGenerations(bucket, `hosts/${host}/backups/`);
      return proven.filter(({ object, generation }) => present.get(object) !== generation);
    }),
  );
  return changed.flat();
}

/** Orders the day's verifications, each with its own message. Returns how many. */
export async function startDailyRound(
  deps: Pick<Deps, 'db' | 'publisher' | 'clock'> & { bucket: Bucket },
): Promise<number> {
  const now = deps.clock();
  const since = new Date(now.getTime() - EXPECTED_DAYS * DAY_MS);
  const changed = await findChanged(deps.bucket, await listProvenObjects(deps.db, { now, since }));
  const due: BackupName[] = [...(await listDueBackups(deps.db)), ...changed];
  const once = new Map(due.map(({ host, id }) => [`${host}/${id}`, { host, id }]));
  for (const backup of once.values()) await verifyAgain(deps, backup);
  return once.size;
}
