// Entry point `verify-object`: an object was finalised in the backup bucket. Only enqueues: an event function must end
// within nine minutes, a verification may take longer.
import { z } from 'zod';
import { MANIFEST_FILE, parseBackupObject } from '#shared/backup/manifest.ts';
import { HostName } from '#shared/names.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http.ts';
import { privateHandler } from '../private.ts';
import { orderVerification } from './request.ts';

const FINALISED = 'google.cloud.storage.object.v1.finalized';
const StorageObjectData = z.object({ bucket: z.string(), name: z.string() });

/** The handler of `verify-object`. A CloudEvent in binary mode: attributes in `ce-` headers, the object in the body. */
export function handleObjectFinalised(deps: Deps): Handler {
  return privateHandler(deps, async (body, req) => {
    const data = StorageObjectData.safeParse(body);
    const isOurs =
      req.headers['ce-type'] === FINALISED && data.data?.bucket === deps.config.get('BACKUP_BUCKET');
    const object = isOurs && data.data ? parseBackupObject(data.data.name) : undefined;
    const host = HostName.safeParse(object?.host);
    // Other objects are none of our business; the manifest is the last one of a backup.
    if (!object || !host.success || object.file !== MANIFEST_FILE) return {};
    await orderVerification(deps, { host: host.data, backupId: object.backupId });
    return {};
  });
}
