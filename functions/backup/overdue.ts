// Verifications that were asked for and never came to an end: the message is lost, or was given up after too many tries.
// Called with every tick of the watch; without it only the daily round would find them.
import type { Deps } from '../deps.ts';
import { claimOverdueBackups } from '../store/backups.ts';
import { orderVerification } from './request.ts';

/** Longer than Pub/Sub waits between two tries, so that one that is only slow is not asked for by many messages. */
const OVERDUE_MS = 30 * 60_000;

/** Asks again, for each backup at most once in half an hour. Gives for how many; throws when Pub/Sub did not take one. */
export async function orderOverdueVerifications(
  deps: Pick<Deps, 'db' | 'publisher' | 'clock'>,
): Promise<number> {
  const now = deps.clock();
  const overdue = await claimOverdueBackups(deps.db, {
    now,
    orderedBefore: new Date(now.getTime() - OVERDUE_MS),
  });
  await Promise.all(overdue.map(({ host, id }) => orderVerification(deps, { host, backupId: id })));
  return overdue.length;
}
