// From the disk to the bucket: finished files of root's, each opened for reading by root, carried by the child that has the
// network. A backup that could not be uploaded stays on the disk, marked, and is taken along later.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { BackupManifest, backupObject, MANIFEST_FILE, partFile } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { BackupId } from '#shared/names.ts';
import { DsseEnvelope } from '#shared/signing/dsse.ts';
import { createMeter, type Measures } from '../backup-pack/meter.ts';
import { uploadAccount } from '../host/accounts.ts';
import { startBackupChild } from '../host/backup-child.ts';
import { mustHaveEndedWell } from '../host/joined.ts';
import { listLocalBackups, localBackupDir, markUploaded, readPublished } from './backup-store.ts';

export interface UploadPlace {
  host: string;
  bucket: string;
  localDir: string;
  signal: AbortSignal;
}

/** Size and checksums of bytes that root holds itself. */
export function measure(bytes: Uint8Array): Measures {
  const meter = createMeter({ withCrc32c: true });
  meter.update(bytes);
  return meter.result();
}

async function uploadFile(
  { bucket, signal }: UploadPlace,
  localFile: string,
  object: string,
  { bytes, crc32c }: Pick<Measures, 'bytes' | 'crc32c'>,
): Promise<void> {
  const file = openSync(localFile, 'r');
  try {
    const place = ['--bucket', bucket, '--object', object];
    const child = startBackupChild(
      await uploadAccount(),
      ['upload', ...place, '--bytes', String(bytes), `--crc32c=${crc32c}`],
      { stdin: file, stdout: 'ignore' },
      signal,
    );
    mustHaveEndedWell([await child.ended]);
  } finally {
    closeSync(file);
  }
}

/** The manifest of a whole local backup, and its text. */
export function readLocalManifest(
  localDir: string,
  backupId: BackupId,
): { manifest: BackupManifest; text: string } {
  const text = readPublished(localDir, backupId);
  const { payload } = DsseEnvelope.parse(JSON.parse(text));
  return {
    manifest: BackupManifest.parse(JSON.parse(Buffer.from(payload, 'base64').toString('utf8'))),
    text,
  };
}

/** Uploads a whole local backup, its manifest last; again does no harm. Throws `unavailable` with what the bucket said. */
export async function uploadBackup(place: UploadPlace, backupId: BackupId): Promise<void> {
  const dir = localBackupDir(place.localDir, backupId);
  const { manifest, text } = readLocalManifest(place.localDir, backupId);
  try {
    for (const part of manifest.parts) {
      await uploadFile(place, join(dir, partFile(part)), part.object, part);
    }
    const object = backupObject(place.host, backupId, MANIFEST_FILE);
    await uploadFile(place, join(dir, MANIFEST_FILE), object, measure(Buffer.from(text)));
  } catch (error) {
    throw new LamplighterError('unavailable', `upload backup ${backupId}: ${messageOf(error)}`, {
      retryable: true,
      cause: error,
      hint: `The local copy in ${dir} is whole. It is uploaded with the next backup.`,
    });
  }
  markUploaded(place.localDir, backupId);
}

/** Uploads what earlier backups left on the disk, oldest first; gives how many, and what kept the others back. */
export async function uploadLeftBehind(
  place: UploadPlace,
  note: (text: string) => void,
): Promise<{ uploaded: number }> {
  const left = listLocalBackups(place.localDir).filter(({ isWhole, isUploaded }) => isWhole && !isUploaded);
  let uploaded = 0;
  for (const { backupId } of left) {
    try {
      await uploadBackup(place, backupId);
      uploaded += 1;
    } catch (error) {
      note(messageOf(error));
    }
  }
  return { uploaded };
}
