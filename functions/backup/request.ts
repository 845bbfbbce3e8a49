// Orders a verification: opens a round and publishes a message for `verify`, again and again until the round is closed.
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { BackupId, HostName } from '#shared/names.ts';
import { VERIFICATIONS_TOPIC } from '#shared/topology.ts';
import type { Deps } from '../deps.ts';
import { publishDue } from '../publish.ts';
import { findBackupsById, openRound, type StoredBackup, VERIFICATION_OUTBOX } from '../store/backups.ts';

/** The message: the backup to verify. */
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

/** Longer than Pub/Sub's longest pause between redeliveries, so that a slow verification does not get many messages. */
const ORDER_AGAIN_AFTER_MS = 30 * 60_000;

/** When a verification that is ordered now is ordered again if it has not ended. */
export function orderAgainAt(now: Date): Date {
  return new Date(now.getTime() + ORDER_AGAIN_AFTER_MS);
}

/**
 * Orders verifications again that have not ended, because the message was lost or given up. Called with every tick; without
 * it only the daily round would find them. Returns how many; throws when Pub/Sub did not take one.
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

/** Has a whole backup verified again; a verification that is running just goes on. */
export async function verifyAgain(
  deps: RequestDeps,
  { host, id }: Pick<StoredBackup, 'host' | 'id'>,
): Promise<void> {
  await openRound(deps.db, { host, id }, orderAgainAt(deps.clock()));
  await orderVerification(deps, { host, backupId: id });
}

/** Verifies a backup again because a person asked. Throws `not-found`. */
export async function requestVerification(deps: RequestDeps, id: string): Promise<void> {
  const found = await findBackupsById(deps.db, id);
  if (found.length === 0) {
    throw new LamplighterError('not-found', `find backup ${id}: there is no such backup`, {
      hint: '`lamp backups` lists them.',
    });
  }
  for (const backup of found) await verifyAgain(deps, backup);
}
