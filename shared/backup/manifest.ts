// The manifest of a backup: written last, signed by the host's runner. A backup without one does not count.
import { z } from 'zod';
import { BackupId, CommandId, DatabaseName, HostName, Timestamp } from '../names.ts';
import { DatabaseProperties } from './database-properties.ts';

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Base64 of the big-endian CRC32C, as Google Cloud Storage writes it. */
export const Crc32c = z.string().regex(/^[A-Za-z0-9+/]{6}==$/);

export const BackupPart = z.strictObject({
  name: z.enum(['database', 'globals', 'config']),
  /** Full object name in the bucket. */
  object: z.string().min(1).max(1024),
  /** How to get from the stored bytes to the content, outermost last: `pg_dump -Fc` then zstd; tar then age. */
  encoding: z.enum(['pg_dump-custom+zstd', 'sql+age', 'tar+age']),
  /** Of the stored bytes. */
  bytes: z.int().positive(),
  sha256: Sha256,
  crc32c: Crc32c,
  /** Of the decoded content before compression or encryption. */
  contentBytes: z.int().positive(),
  contentSha256: Sha256,
});
export type BackupPart = z.infer<typeof BackupPart>;

export const TableCount = z.strictObject({
  schema: z.string(),
  table: z.string(),
  /** Counted in the very snapshot that pg_dump used. */
  rows: z.int().nonnegative(),
});
export type TableCount = z.infer<typeof TableCount>;

export const BackupManifest = z.strictObject({
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
});
export type BackupManifest = z.infer<typeof BackupManifest>;

export const PART_FILES: Record<BackupPart['name'], string> = {
  database: 'database.dump.zst',
  globals: 'globals.sql.age',
  config: 'config.tar.age',
};
export const MANIFEST_FILE = 'manifest.json';

/** A new backup's id from when it began and the command that makes it. */
export function backupIdFor(startedAt: Date, commandId: string): BackupId {
  const stamp = startedAt.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  return BackupId.parse(`${stamp}-${commandId.slice(-6)}`);
}

/** When a backup began, from its id. */
export function backupTimeMs(backupId: BackupId): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z/.exec(backupId) ?? [];
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
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
