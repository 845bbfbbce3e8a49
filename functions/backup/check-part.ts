// Checks one part of a backup in one download: its size, both checksums, and its content.
import type { Bucket } from '@google-cloud/storage';
import { type BackupManifest, type BackupPart, backupObject, partFile } from '#shared/backup/manifest.ts';
import { createObjectMeter } from '#shared/kit/meter.ts';
import { createAgeInspector } from './age-file.ts';
import { type FoundObject, findObject } from './bucket-object.ts';
import { createDumpInspector } from './check-dump.ts';

/** The faults of a part, and the object that was read. */
export interface PartFinding {
  faults: string[];
  generation: string | null;
  keptUntil: Date | null;
}

/** The encodings that each part may have. */
const ENCODINGS: Record<BackupPart['name'], readonly BackupPart['encoding'][]> = {
  database: ['pg_dump-custom+zstd', 'pg_dump-custom+zstd+age'],
  globals: ['sql+age'],
  config: ['tar+age'],
};

interface Inspector {
  take(chunk: Buffer): Promise<void>;
  faults(): Promise<string[]>;
  abandon(): void;
}

function inspectorFor(part: BackupPart, manifest: BackupManifest): Inspector {
  if (part.encoding === 'pg_dump-custom+zstd') return createDumpInspector(part, manifest);
  const age = createAgeInspector();
  return {
    take: (chunk) => Promise.resolve(age.take(chunk)),
    faults: () => Promise.resolve(age.faults(part.encryption?.plainBytes ?? part.contentBytes)),
    abandon: () => undefined,
  };
}

async function goThrough({ read }: FoundObject, part: BackupPart, inspector: Inspector): Promise<string[]> {
  const meter = await createObjectMeter();
  try {
    for await (const chunk of read()) {
      meter.update(chunk);
      await inspector.take(chunk);
    }
  } catch (error) {
    inspector.abandon();
    throw error;
  }
  const faults = await inspector.faults();
  const { crc32c, sha256 } = meter.result();
  if (crc32c !== part.crc32c) faults.unshift('CRC32C differs from the manifest');
  if (sha256 !== part.sha256) faults.unshift('SHA-256 differs from the manifest');
  return faults;
}

async function check(found: FoundObject, part: BackupPart, manifest: BackupManifest): Promise<string[]> {
  const { size } = found;
  if (size === 0) return ['empty'];
  // No more bytes are read than the runner signed for.
  if (size > part.bytes) return [`${size - part.bytes} bytes too many`];
  const truncated = size < part.bytes ? [`truncated: ${size} of ${part.bytes} bytes`] : [];
  return [...truncated, ...(await goThrough(found, part, inspectorFor(part, manifest)))];
}

/**
 * The faults of one part, each with the part's file; empty list when it matches the manifest. Throws `unavailable` when the
 * bucket fails.
 */
export async function checkPart(
  bucket: Bucket,
  manifest: BackupManifest,
  part: BackupPart,
): Promise<PartFinding> {
  const file = partFile(part);
  const finding = (faults: readonly string[], found?: FoundObject): PartFinding => ({
    faults: faults.map((fault) => `${file}: ${fault}`),
    generation: found?.generation ?? null,
    keptUntil: found?.retentionExpirationTime ?? null,
  });
  if (part.object !== backupObject(manifest.host, manifest.backupId, file)) {
    return finding([`the manifest names ${part.object}, which is not of this backup`]);
  }
  if (!ENCODINGS[part.name].includes(part.encoding)) {
    return finding([`encoded as ${part.encoding}, not as ${ENCODINGS[part.name].join(' or ')}`]);
  }
  const found = await findObject(bucket, part.object);
  if (!found) return finding(['not in the bucket']);
  return finding(await check(found, part, manifest), found);
}
