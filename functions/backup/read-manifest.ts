// The manifest of a backup as it lies in the bucket, believed only when the host's runner signed it for this very backup.
import { createHash } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
import { BackupManifest, backupObject, MANIFEST_FILE, PART_FILES } from '#shared/backup/manifest.ts';
import { DsseEnvelope, openDsse, parsePublicKey } from '#shared/signing/dsse.ts';
import type { Queryable } from '../store/database.ts';
import { type HostKey, listHostKeys } from '../store/hosts.ts';
import { findObject, type ObjectMetadata } from './bucket-object.ts';

export type ManifestFinding =
  | { found: true; manifest: BackupManifest; sha256: string }
  | { found: false; faults: string[]; sha256: string | null };

/** A manifest of thousands of tables stays far below this. */
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** A key that was retired still stands for what came before; when that was, the bucket says, not the host. */
function isInForce({ retiredAt }: HostKey, { timeCreated }: ObjectMetadata): boolean {
  return retiredAt === null || timeCreated <= retiredAt;
}

/** The payload, or why it is not to be believed. */
function openManifest(bytes: Buffer, host: string, keys: readonly HostKey[]): Uint8Array | string {
  const document = DsseEnvelope.safeParse(parseJson(bytes));
  if (!document.success) return 'not a signed document';
  const opened = openDsse(
    'manifest',
    bytes.toString('utf8'),
    keys.map(({ pem }) => parsePublicKey(pem)),
  );
  const keyIds = document.data.signatures.map(({ keyid }) => keyid).join(', ');
  return opened ?? `not signed by the runner of ${host} (it names key ${keyIds.slice(0, 100)})`;
}

function judgeManifest(
  payload: Uint8Array,
  wanted: { host: string; backupId: string },
): BackupManifest | string {
  const parsed = BackupManifest.safeParse(parseJson(payload));
  if (!parsed.success) return 'signed, but not a manifest of a known form';
  const { host, backupId, parts } = parsed.data;
  if (host !== wanted.host || backupId !== wanted.backupId) {
    return `it is the manifest of backup ${backupId} of ${host}`;
  }
  const names = parts.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined ? parsed.data : `it names ${PART_FILES[twice]} twice`;
}

/** Reads and judges the manifest. Throws `unavailable` when the bucket could not be asked. */
export async function readManifest(
  db: Queryable,
  bucket: Bucket,
  wanted: { host: string; backupId: string },
): Promise<ManifestFinding> {
  const found = await findObject(bucket, backupObject(wanted.host, wanted.backupId, MANIFEST_FILE));
  const bad = (fault: string, sha256: string | null = null): ManifestFinding => ({
    found: false,
    faults: [`${MANIFEST_FILE}: ${fault}`],
    sha256,
  });
  if (!found) return bad('not in the bucket');
  if (found.size === 0) return bad('empty');
  if (found.size > MAX_MANIFEST_BYTES) return bad(`of ${found.size} bytes, which no manifest has`);
  const pieces: Buffer[] = [];
  for await (const piece of found.read()) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const keys = await listHostKeys(db, wanted.host, 'runner');
  const payload = openManifest(
    bytes,
    wanted.host,
    keys.filter((key) => isInForce(key, found)),
  );
  if (typeof payload === 'string') return bad(payload, sha256);
  const manifest = judgeManifest(payload, wanted);
  return typeof manifest === 'string' ? bad(manifest, sha256) : { found: true, manifest, sha256 };
}
