// Asks for a verification: a message that is pushed to `verify`, and pushed again until it was done.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { BackupId, HostName } from '#shared/names.ts';
import { VERIFICATIONS_TOPIC } from '#shared/topology.ts';
import type { Deps } from '../deps.ts';
import { findBackupsById } from '../store/backups.ts';

export const VerificationOrder = z.strictObject({
  host: HostName,
  backupId: BackupId,
  /** Go through all of it again, whatever was found before. */
  isForced: z.boolean().default(false),
});
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
      'ce-source': '//lamplighter/backups',
      'ce-type': 'dev.lamplighter.verification.v1',
      'ce-time': deps.clock().toISOString(),
      'ce-subject': `${order.host}/${order.backupId}`,
      'content-type': 'application/json',
    },
  });
}

/** A person asks for a backup to be verified again. Throws `not-found`. */
export async function requestVerification(
  deps: Pick<Deps, 'db' | 'publisher' | 'clock'>,
  id: string,
): Promise<void> {
  const found = await findBackupsById(deps.db, id);
  if (found.length === 0) {
    throw new LamplighterError('not-found', `find backup ${id}: there is no such backup`, {
      hint: '`lamp backups` lists them.',
    });
  }
  for (const { host, id: backupId } of found) {
    await orderVerification(deps, { host: HostName.parse(host), backupId, isForced: true });
  }
}
