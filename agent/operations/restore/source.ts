// Where a restore takes a backup from: the local copy when it is whole, else the bucket; believed only when its manifest
// carries this host's own signature and every byte is as the manifest says.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BackupManifest,
  type BackupPart,
  backupObject,
  MANIFEST_FILE,
  partFile,
} from '#shared/backup/manifest.ts';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { messageOf } from '#shared/errors.ts';
import type { BackupId } from '#shared/names.ts';
import { isNotFound } from '../../host/joined.ts';
import { fetchText, fetchToFile } from '../backup/fetch.ts';
import { corruptBackup, readManifest, readRunnerKeys } from '../backup/read-manifest.ts';
import { isPublished, localBackup, readPublished } from '../backup/store.ts';
import { type CheckedFile, type OpenDump, openChecked, openDump } from './dump.ts';
import { openEncryptedDump } from './open.ts';
import { needRoom } from './room.ts';

export interface Wanted {
  host: string;
  database: string;
  backupId: BackupId;
  bucket: string;
  localDir: string;
  /** A directory of this restore's own, made when it is needed. */
  workDir: string;
  /** Where a person puts the identity that opens an encrypted dump. */
  identityFile: string;
  signal: AbortSignal;
}

/** Reads a manifest that this host's runner signed for this very backup. Throws `corrupt`, or `other-database`. */
function readWanted(text: string, { host, database, backupId }: Wanted): BackupManifest {
  const manifest = readManifest(text, backupId, { host, keys: readRunnerKeys() });
  if (manifest.database === database) return manifest;
  throw new OperationFailure(
    'other-database',
    'refused',
    `check backup ${backupId}: it is a backup of database ${manifest.database}, not of ${database}`,
    { hint: `Choose a backup of ${database}: lamp backups lists them with their databases.` },
  );
}

function isOfOtherDatabase(error: unknown): boolean {
  return error instanceof OperationFailure && error.outcome === 'other-database';
}

export interface Found {
  manifest: BackupManifest;
  /** Checked to its last byte; the caller closes it. */
  dump: OpenDump;
  /** For people: where it was taken from. */
  from: string;
}

/** The part that is restored. Throws `corrupt` when there is none. */
export function databasePart({ parts, backupId }: BackupManifest): BackupPart {
  const part = parts.find(({ name }) => name === 'database');
  if (part) return part;
  throw corruptBackup(`check backup ${backupId}`, 'its manifest names no dump of a database');
}

interface Stored {
  manifest: BackupManifest;
  part: BackupPart;
  /** The part as it is stored, checked. */
  file: CheckedFile;
  path: string;
  from: string;
}

/** The local copy's manifest and dump; a string says why the local copy can't be used. */
async function findLocal(wanted: Wanted): Promise<Stored | string> {
  const backup = localBackup(wanted.localDir, wanted.backupId);
  if (!isPublished(backup)) return 'there is no local copy';
  try {
    const manifest = readWanted(readPublished(backup), wanted);
    const part = databasePart(manifest);
    const path = join(backup.dir, partFile(part));
    if (!existsSync(path)) return 'there is no local copy';
    return { manifest, part, file: await openChecked(path, part.sha256), path, from: 'the local copy' };
  } catch (error) {
    if (isOfOtherDatabase(error)) throw error;
    return `the local copy is damaged: ${messageOf(error)}`;
  }
}

async function findInBucket(wanted: Wanted): Promise<Stored> {
  const { host, backupId, bucket, signal, workDir } = wanted;
  const place = (file: string) => ({ bucket, object: backupObject(host, backupId, file), signal });
  const missing = (file: string) =>
    new OperationFailure(
      'backup-not-found',
      'not-found',
      `fetch ${file} of backup ${backupId}: not in the bucket`,
      { hint: 'Choose another backup: `lamp backups` lists them.' },
    );
  const text = await fetchText(place(MANIFEST_FILE));
  if (text === undefined) throw missing(MANIFEST_FILE);
  const manifest = readWanted(text, wanted);
  const part = databasePart(manifest);
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  needRoom([{ path: workDir, bytes: part.bytes }], `fetch backup ${backupId}`);
  const name = partFile(part);
  const path = join(workDir, name);
  await fetchToFile(place(name), path, part.bytes).catch((error: unknown) => {
    throw isNotFound(error) ? missing(name) : error;
  });
  return { manifest, part, file: await openChecked(path, part.sha256), path, from: 'the bucket' };
}

/** Decrypts it where it is encrypted. */
async function openStored(wanted: Wanted, { manifest, part, file, path, from }: Stored): Promise<Found> {
  try {
    const { identityFile, workDir, signal } = wanted;
    const dump = part.encryption
      ? await openEncryptedDump({ reopen: file.reopen, part, identityFile, workDir, signal })
      : await openDump(path, part.sha256);
    return { manifest, dump, from };
  } finally {
    file.close();
  }
}

/** Finds the backup and checks all of what is needed of it, before anything is touched. */
export async function findBackup(wanted: Wanted, note: (text: string) => void): Promise<Found> {
  const local = await findLocal(wanted);
  if (typeof local !== 'string') return await openStored(wanted, local);
  note(`${local}; fetching it from the bucket`);
  const fetched = await findInBucket(wanted);
  const found = await openStored(wanted, fetched);
  // The decrypted file is what is restored: the encrypted one would only take room.
  if (fetched.part.encryption) rmSync(fetched.path, { force: true });
  return found;
}
