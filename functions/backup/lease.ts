// The lease of a verification: one instance verifies a backup at a time, and another takes over soon after it was killed.

import type { Deps } from '../deps.ts';
import { HttpFault } from '../http/fault.ts';
import { type BackupKey, holdLease, releaseLease } from '../store/backups.ts';
import { type Lease, newLease } from '../store/lease.ts';

const LEASE_MS = 3 * 60_000;
const RENEW_EVERY_MS = 45_000;

/** The error of a holder whose lease was taken over; Pub/Sub redelivers the message. */
export function lostLease(id: string): HttpFault {
  return new HttpFault('busy', `verify backup ${id}: the lease was lost`, { retryable: true, status: 503 });
}

/** Runs `work` with the lease; throws `busy` (retryable, 503) while another instance holds it. */
export async function withLease<T>(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  key: BackupKey,
  work: (lease: Pick<Lease, 'holder'>) => Promise<T>,
): Promise<T> {
  const { holder } = newLease(clock(), LEASE_MS);
  const hold = (): Promise<boolean> => holdLease(db, key, { ...newLease(clock(), LEASE_MS), holder });
  if (!(await hold())) {
    throw new HttpFault('busy', `verify backup ${key.id}: it is being verified`, {
      retryable: true,
      status: 503,
    });
  }
  // A lease that can't be renewed is noticed at the next write, since every write names the holder.
  const timer = setInterval(() => void hold().catch(() => undefined), RENEW_EVERY_MS);
  try {
    return await work({ holder });
  } finally {
    clearInterval(timer);
    await releaseLease(db, key, { holder });
  }
}
