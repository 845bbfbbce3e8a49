// Asks for a verification: a round is opened, and a message pushed to `verify`, and pushed again until the round is closed.
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { BackupId, HostName } from '#shared/names.ts';
import { VERIFICATIONS_TOPIC } from '#shared/topology.ts';
import type { Deps } from '../deps.ts';
import { publishDue } from '../publish.ts';
import { findBackupsById, openRound, type StoredBackup, VERIFICATION_OUTBOX } from '../store/backups.ts';

/** The message: which backup to go on with. */
export const VerificationOrder = z.lazy(() => z.object({ host: HostName, backupId: BackupId }));
export type VerificationOrder = z.infer<typeof VerificationOrder>;

/** Publishes an order. Throws `unavailable` when Pub/Sub did not take it. */
export async function orderVerification(
  deps: Pick<Deps, 'publisher' | 'clock'>,
  order: VerificationOrder,
): Promise<void> {
  await deps.publisher.publish(VERIFICATIONS_TOPIC, {
    data: Buffer.from(JSON.stringify(order)),
    attributes: {
      'ce-specversion': '1.0',
      'ce-id': randomUUID(),
      'ce-source': 'lamplighter/backups',
      'ce-type': 'dev.lamplighter.verification.v1',
      'ce-time': deps.clock().toISOString(),
      'ce-subject': `${order.host}/${order.backupId}`,
      'content-type': 'application/json',
    },
  });
}

type RequestDeps = Pick<Deps, 'db' | 'publisher' | 'clock'>;

/** Longer than Pub/Sub waits between two tries, so that a slow verification does not get many messages. */
const ORDER_AGAIN_AFTER_MS = 30 * 60_000;

/** When a verification that is ordered now is ordered again, should it not have ended by then. */
export function orderAgainAt(now: Date): Date {
  return new Date(now.getTime() + ORDER_AGAIN_AFTER_MS);
}

/**
 * Orders verifications again that never ended: the message was lost, or given up after too many tries. Called with every
 * tick; without it only the daily round would find them. Returns how many; throws when Pub/Sub did not take one.
 */
export async function orderOverdueVerifications(deps: RequestDeps): Promise<number> {
  const { due, failures } = await publishDue(deps, {
    outbox: VERIFICATION_OUTBOX,
    publish: ({ host, id }) => orderVerification(deps, VerificationOrder.parse({ host, backupId: id })),
    againAfterMs: ORDER_AGAIN_AFTER_MS,
  });
  if (failures.length > 0) throw failures[0];
  return due;
}

/** Has a backup gone through again, all of it. One that is being gone through stays at that. */
export async function verifyAgain(
  deps: RequestDeps,
  { host, id }: Pick<StoredBackup, 'host' | 'id'>,
): Promise<void> {
  await openRound(deps.db, { host, id }, orderAgainAt(deps.clock()));
  await orderVerification(deps, { host, backupId: id });
}

/** A person asks for a backup to be verified again. Throws `not-found`. */
export async function requestVerification(deps: RequestDeps, id: string): Promise<void> {
  const found = await findBackupsById(deps.db, id);
  if (found.length === 0) {
    throw new LamplighterError('not-found', `find backup ${id}: there is no such backup`, {
      hint: '`lamp backups` lists them.',
    });
  }
  for (const backup of found) await verifyAgain(deps, backup);
}
