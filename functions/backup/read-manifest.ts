// The manifest of a backup as it lies in the bucket, believed only when the host's runner signed it for this very backup.
import { createHash } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
import { BackupManifest, backupObject, MANIFEST_FILE } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { openDsse, parsePublicKey } from '#shared/signing/dsse.ts';
import type { Deps } from '../deps.ts';
import { listHostKeys } from '../store/hosts.ts';

export type ManifestFinding =
  | { found: true; manifest: BackupManifest; sha256: string }
  | { found: false; faults: string[]; sha256: string | null };

/** A manifest of thousands of tables stays far below this. */
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

function isStatus(error: unknown, status: number): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === status;
}

/** The object's bytes, or undefined when there is none. Throws `unavailable` when the bucket could not be asked. */
async function readObject(bucket: Bucket, object: string): Promise<Buffer | undefined> {
  try {
    const [bytes] = await bucket
      .file(object)
      .download({ start: 0, end: MAX_MANIFEST_BYTES, validation: false });
    return bytes;
  } catch (cause) {
    if (isStatus(cause, 404)) return undefined;
    // A range of an empty object can't be satisfied.
    if (isStatus(cause, 416)) return Buffer.alloc(0);
    throw new LamplighterError('unavailable', `read ${object}: ${messageOf(cause)}`, {
      retryable: true,
      cause,
    });
  }
}

function openSigned(text: string, pems: readonly string[]): Uint8Array | undefined {
  try {
    return openDsse('manifest', text, pems.map(parsePublicKey));
  } catch {
    return undefined;
  }
}

/** Reads and judges the manifest. */
export async function readManifest(
  deps: Pick<Deps, 'db'>,
  bucket: Bucket,
  wanted: { host: string; backupId: string },
): Promise<ManifestFinding> {
  const bytes = await readObject(bucket, backupObject(wanted.host, wanted.backupId, MANIFEST_FILE));
  if (!bytes) return { found: false, faults: ['manifest.json: not in the bucket'], sha256: null };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const bad = (fault: string): ManifestFinding => ({
    found: false,
    faults: [`manifest.json: ${fault}`],
    sha256,
  });
  if (bytes.length === 0) return bad('empty');
  const keys = await listHostKeys(deps.db, wanted.host, 'runner');
  const payload = openSigned(
    bytes.toString('utf8'),
    keys.map(({ pem }) => pem),
  );
  if (!payload) return bad(`not signed by the runner of ${wanted.host}`);
  const manifest = BackupManifest.safeParse(JSON.parse(Buffer.from(payload).toString('utf8')));
  if (!manifest.success) return bad('signed, but not a manifest of a known form');
  const { host, backupId } = manifest.data;
  if (host !== wanted.host || backupId !== wanted.backupId)
    return bad(`it is the manifest of backup ${backupId} of ${host}`);
  return { found: true, manifest: manifest.data, sha256 };
}
