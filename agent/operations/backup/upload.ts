// From the disk to the bucket: finished files of root's, each opened for reading by root, carried by the child that has the
// network. A backup that could not be uploaded stays on the disk, marked, and the timer takes it there later.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BackupManifest,
  backupObject,
  isDumpEncrypted,
  MANIFEST_FILE,
  partFile,
} from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { createObjectMeter, type Measures } from '#shared/kit/meter.ts';
import { lookUp } from '#shared/look-up.ts';
import type { BackupId } from '#shared/names.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { FileToUpload } from '../../backup-stream/protocol.ts';
import { uploadAccount } from '../../host/accounts.ts';
import { startBackupChild } from '../../host/backup-child.ts';
import { mustHaveEndedWell } from '../../host/joined.ts';
import { readLocalManifest } from './read-manifest.ts';
import type { ListedBackup, LocalBackup } from './store.ts';
import { clearMark, countFailure, isUploadDue } from './upload-mark.ts';

export interface UploadPlace {
  host: string;
  bucket: string;
  signal: AbortSignal;
}

/** Size and checksums of bytes that root holds itself. */
export async function measure(bytes: Uint8Array): Promise<Measures> {
  const meter = await createObjectMeter();
  meter.update(bytes);
  return meter.result();
}

/** One child carries all files of a backup, in this order: it takes longer to start than to send a small one. */
async function uploadFiles(
  { bucket, signal }: UploadPlace,
  dir: string,
  files: ReadonlyMap<string, FileToUpload>,
): Promise<void> {
  const opened: number[] = [];
  try {
    for (const name of files.keys()) opened.push(openSync(join(dir, name), 'r'));
    const child = startBackupChild(
      await uploadAccount(),
      [
        'upload',
        '--bucket',
        bucket,
        ...[...files.values()].flatMap((file) => ['--file', JSON.stringify(file)]),
      ],
      { stdout: 'ignore', files: opened },
      signal,
    );
    mustHaveEndedWell([await child.ended]);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Uploads a whole local backup, its manifest last; again does no harm. Throws `unavailable` with what the bucket said. */
export async function uploadBackup(place: UploadPlace, backup: LocalBackup): Promise<void> {
  const { backupId, dir } = backup;
  const { manifest, text } = readLocalManifest(backup);
  try {
    const files = new Map<string, FileToUpload>();
    for (const part of manifest.parts) {
      const { object, bytes, crc32c } = part;
      files.set(partFile(part), { object, bytes, crc32c });
    }
    const { bytes, crc32c } = await measure(Buffer.from(text));
    const object = backupObject(place.host, backupId, MANIFEST_FILE);
    await uploadFiles(place, dir, files.set(MANIFEST_FILE, { object, bytes, crc32c }));
  } catch (error) {
    countFailure(dir, Date.now());
    throw new LamplighterError('unavailable', `upload backup ${backupId}: ${messageOf(error)}`, {
      retryable: true,
      cause: error,
      hint: `The local copy in ${dir} is whole. The host goes on trying to upload it: lamp run backup.list.`,
    });
  }
  clearMark(dir);
}

export interface LeftBehind {
  uploaded: BackupId[];
  /** How many are not in the bucket yet. */
  left: number;
}

export interface UploadOptions {
  /** What is on the disk, oldest first. */
  backups: readonly ListedBackup[];
  /** The policy of today, whatever it was when the backup was taken. */
  policy: Pick<Policy, 'databases' | 'backup'>;
  /** Commands that are running: a backup's own command uploads it. */
  underway: ReadonlySet<string>;
}

/**
 * The host's own later attempt, by a timer, at what backups left on the disk: only when it is due, and only what
 * the policy lets leave the host. Notes what is kept back and why.
 */
export async function uploadDue(
  place: UploadPlace,
  options: UploadOptions,
  note: (text: string) => void,
): Promise<LeftBehind> {
  const waiting = options.backups.filter(({ isWhole, isUploaded }) => isWhole && !isUploaded);
  const uploaded: BackupId[] = [];
  for (const backup of waiting.filter((candidate) => mayTry(candidate, options, note))) {
    try {
      await uploadBackup(place, backup);
      uploaded.push(backup.backupId);
    } catch (error) {
      note(messageOf(error));
    }
  }
  return { uploaded, left: waiting.length - uploaded.length };
}

function mayTry(
  backup: LocalBackup,
  { policy, underway }: UploadOptions,
  note: (text: string) => void,
): boolean {
  const { backupId, dir } = backup;
  if (!isUploadDue(dir, Date.now())) return false;
  try {
    const { manifest } = readLocalManifest(backup);
    if (underway.has(manifest.commandId)) return false;
    const reason = whyWithheld(manifest, policy);
    if (reason !== undefined) note(`kept back local backup ${backupId}: ${reason}`);
    return reason === undefined;
  } catch (error) {
    note(`passed over local backup ${backupId}: ${messageOf(error)}`);
    return false;
  }
}

/** Why a backup is not allowed to leave the host; undefined when it is. */
function whyWithheld(
  manifest: BackupManifest,
  { databases, backup }: Pick<Policy, 'databases' | 'backup'>,
): string | undefined {
  const { database } = manifest;
  if (lookUp(databases, database)?.allow.includes('backup') !== true)
    return `the policy does not allow backup of database ${database}`;
  if (backup?.mustEncryptDump === true && !isDumpEncrypted(manifest))
    return 'its dump is not encrypted, and the policy wants every dump encrypted';
  return undefined;
}
