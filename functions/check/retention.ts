// Keeps the results of checks bounded: two weeks, deleted in batches so that no tick is held up.
import type { Deps } from '../deps.ts';
import { deleteCheckResults } from '../store/checks.ts';

const KEPT_MS = 14 * 24 * 3_600_000;
const BATCH = 5000;
/** A tick a minute and 50,000 rows a tick keep up with anything that can be watched from here. */
const MAX_BATCHES = 10;

/** Deletes old results; returns how many. */
export async function deleteOldResults({ db, clock }: Pick<Deps, 'db' | 'clock'>): Promise<number> {
  const before = new Date(clock().getTime() - KEPT_MS);
  let deleted = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const count = await deleteCheckResults(db, before, BATCH);
    deleted += count;
    if (count < BATCH) break;
  }
  return deleted;
}
