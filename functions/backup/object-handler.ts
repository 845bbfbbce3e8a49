// Entry point `verify-object`: Cloud Storage reports an object that was finalised in the backup bucket. It only orders the
// verification, which may take longer than a push waits.
import * as z from 'zod';
import { MANIFEST_FILE, parseBackupObject } from '#shared/backup/manifest.ts';
import { HostName } from '#shared/names.ts';
import type { PushMessage } from '../cloud/push.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { pushHandler } from '../http/private.ts';
import { orderVerification, type VerificationOrder } from './request.ts';

/** The attributes of a notification (cloud.google.com/storage/docs/pubsub-notifications#attributes). */
const Finalised = z.lazy(() =>
  z.object({
    eventType: z.literal('OBJECT_FINALIZE'),
    bucketId: z.string(),
    objectId: z.string(),
  }),
);

/** The order for a notification. Only a manifest leads to one: it is the last object of a backup. */
function orderOf({ attributes }: PushMessage, bucket: string): VerificationOrder | undefined {
  const finalised = Finalised.safeParse(attributes);
  if (!finalised.success || finalised.data.bucketId !== bucket) return undefined;
  const object = parseBackupObject(finalised.data.objectId);
  const host = HostName.safeParse(object?.host);
  if (!object || !host.success || object.file !== MANIFEST_FILE) return undefined;
  return { host: host.data, backupId: object.backupId };
}

/** The handler of `verify-object`. */
export function handleObjectFinalised(deps: Deps): Handler {
  return pushHandler(deps, async (message) => {
    const order = orderOf(message, deps.config.get('BACKUP_BUCKET'));
    if (!order) return 'not a manifest';
    await orderVerification(deps, order);
    return 'ordered';
  });
}
