// The local copies of backups: root's directory, one folder per backup; one without a manifest does not count.
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_FILE } from '#shared/backup/manifest.ts';
import { renameDurably, writeDurably } from '#shared/kit/durable-file.ts';
import { BackupId } from '#shared/names.ts';
import { ownAccount } from '../../host/accounts.ts';
import { requireTrustedPath } from '../../host/trusted-path.ts';
import { isNotUploaded, markNotUploaded } from './upload-mark.ts';

// The agent's group may see which backups there are, not read them.
const DIRECTORY_MODE = 0o750;

/** One backup's folder below the policy's `localDir`, whether it is there or not. */
export interface LocalBackup {
  backupId: BackupId;
  dir: string;
}

/** What is known of a local backup that is there. */
export interface ListedBackup extends LocalBackup {
  bytes: number;
  isWhole: boolean;
  /** False while the bucket does not have all of it. */
  isUploaded: boolean;
}

/** The folder of a backup below `localDir`. */
export function localBackup(localDir: string, backupId: BackupId): LocalBackup {
  return { backupId, dir: join(localDir, BackupId.parse(backupId)) };
}

/** Makes the folder of a new backup; `gid` is the agent's group. Throws `refused` where others could lead root elsewhere. */
export function makeLocalBackup(localDir: string, backupId: BackupId, gid: number): void {
  requireTrustedPath(localDir);
  mkdirSync(localDir, { recursive: true });
  const { dir } = localBackup(localDir, backupId);
  mkdirSync(dir);
  for (const path of [localDir, dir]) {
    requireTrustedPath(path);
    giveDirectory(path, gid);
  }
}

/** Through a descriptor, so that the directory that was checked is the one that changes. */
function giveDirectory(path: string, gid: number): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fchownSync(fd, ownAccount().uid, gid);
    fchmodSync(fd, DIRECTORY_MODE);
  } finally {
    closeSync(fd);
  }
}

/** Local backups, oldest first. */
export function listLocalBackups(localDir: string): ListedBackup[] {
  if (!existsSync(localDir)) return [];
  return readdirSync(localDir)
    .toSorted()
    .flatMap((name) => {
      const backupId = BackupId.safeParse(name);
      if (!backupId.success) return [];
      const dir = join(localDir, name);
      const bytes = readdirSync(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
      return [
        {
          backupId: backupId.data,
          dir,
          bytes,
          isWhole: existsSync(join(dir, MANIFEST_FILE)),
          isUploaded: !isNotUploaded(dir),
        },
      ];
    });
}

/** Removes a local backup, if it is there. */
export function removeLocalBackup({ dir }: LocalBackup): void {
  rmSync(dir, { recursive: true, force: true });
}

/** Removes what a command that did not end well left: its folder is known by the command's id, whenever it was made. */
export function removeLeftover(localDir: string, commandId: string): void {
  const isOf = (backupId: string): boolean => backupId.endsWith(`-${commandId.slice(-6)}`);
  const [left, ...others] = listLocalBackups(localDir).filter(
    ({ backupId, isWhole }) => isOf(backupId) && !isWhole,
  );
  // Two folders with this ending belong to two commands: better keep both than remove the wrong one.
  if (left && others.length === 0) removeLocalBackup(left);
}

/** The manifest before it counts; under its real name the backup would be whole. */
const UNPUBLISHED_FILE = `${MANIFEST_FILE}.unpublished`;
const FILE_MODE = 0o600;

/** Writes the manifest, and that the bucket has nothing yet, so that both are on the disk but do not count. */
export function writeUnpublished({ dir }: LocalBackup, text: string): void {
  markNotUploaded(dir);
  writeDurably(join(dir, UNPUBLISHED_FILE), text, FILE_MODE);
}

/** True when the backup counts. */
export function isPublished({ dir }: LocalBackup): boolean {
  return existsSync(join(dir, MANIFEST_FILE));
}

/** Makes the manifest, and with it the backup, count; calling it twice does no harm. */
export function publishLocally(backup: LocalBackup): void {
  if (isPublished(backup)) return;
  renameDurably(join(backup.dir, UNPUBLISHED_FILE), join(backup.dir, MANIFEST_FILE));
}

/** The manifest of a whole backup. */
export function readPublished({ dir }: LocalBackup): string {
  return readFileSync(join(dir, MANIFEST_FILE), 'utf8');
}
