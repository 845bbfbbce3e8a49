// The manifest of a backup: written last, signed by the host's runner. A backup without one does not count.
import * as z from 'zod';
import { BackupId, CommandId, DatabaseName, HostName, idStamp, Timestamp } from '../names.ts';
import { DatabaseProperties } from './database-properties.ts';

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Base64 of the big-endian CRC32C, as Google Cloud Storage writes it. */
export const Crc32c = z.string().regex(/^[A-Za-z0-9+/]{6}==$/);

/** A dump that is encrypted: to whom, and what an identity gets when it opens the file. */
const Encryption = z.lazy(() =>
  z.strictObject({
    /** SHA-256 of each age recipient as it is written (age1…): `age-keygen -y FILE | tr -d '\n' | sha256sum`. */
    recipients: z.array(Sha256).min(1),
    /** Of the file inside: the compressed dump. */
    plainBytes: z.int().positive(),
    plainSha256: Sha256,
  }),
);

const ENCRYPTED_DUMP = 'pg_dump-custom+zstd+age';

export const BackupPart = z.lazy(() =>
  z
    .strictObject({
      name: z.enum(['database', 'globals', 'config']),
      /** Full object name in the bucket. */
      object: z.string().min(1).max(1024),
      /** How to get from the stored bytes to the content, outermost last: `pg_dump -Fc` then zstd; tar then age. */
      encoding: z.enum(['pg_dump-custom+zstd', ENCRYPTED_DUMP, 'sql+age', 'tar+age']),
      /** Of a dump, when the runbook or the policy wants it encrypted. */
      encryption: Encryption.optional(),
      /** Of the stored bytes. */
      bytes: z.int().positive(),
      sha256: Sha256,
      crc32c: Crc32c,
      /** Of the decoded content before compression or encryption. */
      contentBytes: z.int().positive(),
      contentSha256: Sha256,
    })
    .refine(
      ({ encoding, encryption }) => (encoding === ENCRYPTED_DUMP) === (encryption !== undefined),
      'an encrypted dump, and nothing else, says to whom it is encrypted',
    ),
);
export type BackupPart = z.infer<typeof BackupPart>;

export const TableCount = z.lazy(() =>
  z.strictObject({
    schema: z.string(),
    table: z.string(),
    /** Counted in the very snapshot that pg_dump used. */
    rows: z.int().nonnegative(),
  }),
);
export type TableCount = z.infer<typeof TableCount>;

export const BackupManifest = z.lazy(() =>
  z.strictObject({
    v: z.literal(1),
    backupId: BackupId,
    commandId: CommandId,
    host: HostName,
    database: DatabaseName,
    /** `server_version` and `pg_dump --version` as the programs print them. */
    serverVersion: z.string(),
    pgDumpVersion: z.string(),
    /** `pg_database_size` when the backup began: data, indexes and all, in every tablespace. */
    databaseBytes: z.int().nonnegative(),
    properties: DatabaseProperties,
    startedAt: Timestamp,
    finishedAt: Timestamp,
    parts: z.array(BackupPart).min(1),
    tables: z.array(TableCount),
  }),
);
export type BackupManifest = z.infer<typeof BackupManifest>;

export const PART_FILES: Record<BackupPart['name'], string> = {
  database: 'database.dump.zst',
  globals: 'globals.sql.age',
  config: 'config.tar.age',
};
const ENCRYPTED_DUMP_FILE = `${PART_FILES.database}.age`;
/** Name of the file that a part is stored as. */
export function partFile({ name, encoding }: Pick<BackupPart, 'name' | 'encoding'>): string {
  return encoding === ENCRYPTED_DUMP ? ENCRYPTED_DUMP_FILE : PART_FILES[name];
}

/** True when nobody without an identity can say what the dump holds. */
export function isDumpEncrypted({ parts }: Pick<BackupManifest, 'parts'>): boolean {
  return parts.some(({ encoding }) => encoding === ENCRYPTED_DUMP);
}

export const MANIFEST_FILE = 'manifest.json';

/** A new backup's id from when it began and the command that makes it. */
export function backupIdFor(startedAt: Date, commandId: string): BackupId {
  return BackupId.parse(`${idStamp(startedAt)}-${commandId.slice(-6)}`);
}

/** Object name of a file of a backup. */
export function backupObject(host: string, backupId: string, file: string): string {
  return `hosts/${host}/backups/${backupId}/${file}`;
}

const OBJECT = /^hosts\/([a-z0-9-]+)\/backups\/([^/]+)\/([^/]+)$/;

/** The host, backup and file of an object name, or undefined when it is not one of a backup. */
export function parseBackupObject(
  object: string,
): { host: string; backupId: BackupId; file: string } | undefined {
  const match = OBJECT.exec(object);
  const backupId = BackupId.safeParse(match?.[2]);
  if (!match?.[1] || !match[3] || !backupId.success) return undefined;
  return { host: match[1], backupId: backupId.data, file: match[3] };
}
