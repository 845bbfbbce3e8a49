// Reads a backup's manifest from the bucket and accepts it only when the host's runner signed it for this backup.
import { createHash } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
import { believeManifest } from '#shared/backup/believe-manifest.ts';
import { type BackupManifest, backupObject, MANIFEST_FILE } from '#shared/backup/manifest.ts';
import { parsePublicKey } from '#shared/signing/dsse.ts';
import type { Queryable } from '../store/database.ts';
import { type HostKey, listHostKeys } from '../store/hosts.ts';
import { findObject, type ObjectMetadata } from './bucket-object.ts';

export type ManifestFinding =
  | { found: true; manifest: BackupManifest; sha256: string }
  | { found: false; faults: string[]; sha256: string | null };

/** A manifest of thousands of tables stays far below this. */
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/** A retired key is still valid for older backups; their age is the bucket's, not the host's. */
function isInForce({ retiredAt }: HostKey, { timeCreated }: ObjectMetadata): boolean {
  return retiredAt === null || timeCreated <= retiredAt;
}

/** Reads and judges the manifest. Throws `unavailable` when the bucket can't be reached. */
export async function readManifest(
  db: Queryable,
  bucket: Bucket,
  wanted: { host: string; backupId: string },
): Promise<ManifestFinding> {
  const found = await findObject(bucket, backupObject(wanted.host, wanted.backupId, MANIFEST_FILE));
  const bad = (fault: string): ManifestFinding => ({
    found: false,
    faults: [`${MANIFEST_FILE}: ${fault}`],
    sha256: null,
  });
  if (!found) return bad('not in the bucket');
  if (found.size === 0) return bad('empty');
  if (found.size > MAX_MANIFEST_BYTES) return bad(`of ${found.size} bytes, which no manifest has`);
  const pieces: Buffer[] = [];
  for await (const piece of found.read()) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const keys = await listHostKeys(db, wanted.host, 'runner');
  const signer = {
    host: wanted.host,
    keys: keys.filter((key) => isInForce(key, found)).map(({ pem }) => parsePublicKey(pem)),
  };
  const belief = believeManifest(bytes.toString('utf8'), wanted.backupId, signer);
  if (!belief.believed) return { found: false, faults: [belief.fault], sha256 };
  return { found: true, manifest: belief.manifest, sha256 };
}
