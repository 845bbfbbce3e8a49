// Where a restore takes a backup from: the local copy when it is whole, else the bucket; believed only when its manifest
// carries this host's own signature and every byte is as the manifest says.
import { createHash, type KeyObject } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  BackupManifest,
  type BackupPart,
  backupObject,
  MANIFEST_FILE,
  PART_FILES,
} from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { BackupId } from '#shared/names.ts';
import { openDsse, parsePublicKey } from '#shared/signing/dsse.ts';
import { PATHS } from '../config/paths.ts';
import { isNotFound } from '../host/joined.ts';
import { fetchText, fetchToFile } from './backup-fetch.ts';
import { localBackupDir } from './backup-store.ts';

export interface Wanted {
  host: string;
  database: string;
  backupId: BackupId;
  bucket: string;
  localDir: string;
  /** A directory of this restore's own, made when it is needed. */
  workDir: string;
  signal: AbortSignal;
}

const CORRUPT = { details: { outcome: 'corrupt-backup' } };

/** This host's runner key, and those that root put beside it: of the machine that this one replaces. */
function readRunnerKeys(): KeyObject[] {
  const former = existsSync(PATHS.formerRunnerKeys) ? readdirSync(PATHS.formerRunnerKeys) : [];
  const files = former
    .filter((name) => name.endsWith('.pem'))
    .map((name) => join(PATHS.formerRunnerKeys, name));
  return [PATHS.runnerPublicKey, ...files].map((file) => parsePublicKey(readFileSync(file, 'utf8')));
}

/** Reads a manifest that this host's runner signed for this very backup. Throws `corrupt`. */
export function readManifest(
  text: string,
  wanted: Pick<Wanted, 'host' | 'database' | 'backupId'>,
): BackupManifest {
  const payload = openDsse('manifest', text, readRunnerKeys());
  if (!payload)
    throw new LamplighterError(
      'corrupt',
      `check backup ${wanted.backupId}: its manifest is not signed by this host's runner`,
      {
        ...CORRUPT,
        hint: `If the host was installed anew, put its former runner's public key into ${PATHS.formerRunnerKeys}.`,
      },
    );
  const manifest = BackupManifest.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  const isOther =
    manifest.host !== wanted.host ||
    manifest.database !== wanted.database ||
    manifest.backupId !== wanted.backupId;
  if (isOther) {
    throw new LamplighterError(
      'corrupt',
      `check backup ${wanted.backupId}: its manifest is of ${manifest.backupId}, ${manifest.database} on ${manifest.host}`,
      CORRUPT,
    );
  }
  return manifest;
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

export interface Found {
  manifest: BackupManifest;
  dumpFile: string;
  /** For people: where it was taken from. */
  from: string;
}

/** The part that is restored. Throws `corrupt` when there is none. */
export function databasePart({ parts, backupId }: BackupManifest): BackupPart {
  const part = parts.find(({ name }) => name === 'database');
  if (part) return part;
  throw new LamplighterError('corrupt', `check backup ${backupId}: its manifest names no database`, CORRUPT);
}

/** The local copy's manifest and dump; a string says why it will not do. */
async function findLocal(wanted: Wanted): Promise<Found | string> {
  const dir = localBackupDir(wanted.localDir, wanted.backupId);
  const [manifestFile, dumpFile] = [join(dir, MANIFEST_FILE), join(dir, PART_FILES.database)];
  if (!existsSync(manifestFile) || !existsSync(dumpFile)) return 'there is no local copy';
  try {
    const manifest = readManifest(readFileSync(manifestFile, 'utf8'), wanted);
    const isWhole = (await hashFile(dumpFile)) === databasePart(manifest).sha256;
    return isWhole ? { manifest, dumpFile, from: 'the local copy' } : 'the local copy is damaged';
  } catch (error) {
    return `the local copy is damaged: ${messageOf(error)}`;
  }
}

async function findInBucket(wanted: Wanted): Promise<Found> {
  const { host, backupId, bucket, signal, workDir } = wanted;
  const place = (file: string) => ({ bucket, object: backupObject(host, backupId, file), signal });
  const missing = (file: string) =>
    new LamplighterError('not-found', `fetch ${file} of backup ${backupId}: not in the bucket`, {
      details: { outcome: 'backup-not-found' },
    });
  const text = await fetchText(place(MANIFEST_FILE));
  if (text === undefined) throw missing(MANIFEST_FILE);
  const manifest = readManifest(text, wanted);
  const part = databasePart(manifest);
  mkdirSync(workDir, { recursive: true, mode: 0o700 });
  needRoom(workDir, part.bytes, `fetch backup ${backupId}`);
  const dumpFile = join(workDir, PART_FILES.database);
  await fetchToFile(place(PART_FILES.database), dumpFile).catch((error: unknown) => {
    throw isNotFound(error) ? missing(PART_FILES.database) : error;
  });
  // Root's own look: who fetched it has the network, and its word is not enough.
  const sha256 = await hashFile(dumpFile);
  if (part.sha256 === sha256) return { manifest, dumpFile, from: 'the bucket' };
  throw new LamplighterError(
    'corrupt',
    `check backup ${backupId}: the dump in the bucket is not what the manifest says`,
    CORRUPT,
  );
}

/** Throws `unavailable` when a file system has less room than is needed. */
export function needRoom(path: string, bytes: number, purpose: string): void {
  const { bavail, bsize } = statfsSync(path);
  if (bavail * bsize >= bytes) return;
  throw new LamplighterError(
    'unavailable',
    `${purpose}: ${bavail * bsize} bytes free under ${path}, ${bytes} needed`,
    { hint: 'Make room on the disk and try again.' },
  );
}

/** Finds the backup and checks all of what is needed of it, before anything is touched. */
export async function findBackup(wanted: Wanted, note: (text: string) => void): Promise<Found> {
  const local = await findLocal(wanted);
  if (typeof local !== 'string') return local;
  note(`${local}; fetching it from the bucket`);
  return await findInBucket(wanted);
}
