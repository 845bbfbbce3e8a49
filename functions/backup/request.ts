// Asks for a verification: a round is opened, and a message pushed to `verify`, and pushed again until the round is closed.
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { BackupId, HostName } from '#shared/names.ts';
import { VERIFICATIONS_TOPIC } from '#shared/topology.ts';
import type { Deps } from '../deps.ts';
import { findBackupsById, openRound, type StoredBackup } from '../store/backups.ts';

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

/** Has a backup gone through again, all of it. One that is being gone through stays at that. */
export async function verifyAgain(
  deps: RequestDeps,
  { host, id }: Pick<StoredBackup, 'host' | 'id'>,
): Promise<void> {
  await openRound(deps.db, { host, id }, deps.clock());
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
