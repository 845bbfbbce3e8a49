// Where a restore takes a backup from: the local copy when it is whole, else the bucket; believed only when its manifest
// carries this host's own signature and every byte is as the manifest says.
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BackupManifest, backupObject, MANIFEST_FILE, PART_FILES } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { BackupId } from '#shared/names.ts';
import { openDsse, parsePublicKey } from '#shared/signing/dsse.ts';
import { PATHS } from '../config/paths.ts';
import { startBackupChild } from '../host/backup-child.ts';
import { localBackupDir } from './backup-store.ts';

export interface Wanted {
  host: string;
  database: string;
  backupId: BackupId;
  bucket: string;
  localDir: string;
  signal: AbortSignal;
}

const CORRUPT = { details: { outcome: 'corrupt-backup' } };

/** Reads a manifest that this host's runner signed for this very backup. Throws `corrupt`. */
export function readManifest(
  text: string,
  wanted: Pick<Wanted, 'host' | 'database' | 'backupId'>,
): BackupManifest {
  const key = parsePublicKey(readFileSync(PATHS.runnerPublicKey, 'utf8'));
  const payload = openDsse('manifest', text, [key]);
  if (!payload)
    throw new LamplighterError(
      'corrupt',
      `check backup ${wanted.backupId}: its manifest is not signed by this host's runner`,
      CORRUPT,
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

/** The local copy's manifest and dump, or undefined when it is not whole. */
async function findLocal(wanted: Wanted): Promise<Found | undefined> {
  const dir = localBackupDir(wanted.localDir, wanted.backupId);
  const manifestFile = join(dir, MANIFEST_FILE);
  const dumpFile = join(dir, PART_FILES.database);
  if (!existsSync(manifestFile) || !existsSync(dumpFile)) return undefined;
  try {
    const manifest = readManifest(readFileSync(manifestFile, 'utf8'), wanted);
    const part = manifest.parts.find(({ name }) => name === 'database');
    return part && (await hashFile(dumpFile)) === part.sha256
      ? { manifest, dumpFile, from: 'the local copy' }
      : undefined;
  } catch {
    return undefined;
  }
}

export interface Found {
  manifest: BackupManifest;
  dumpFile: string;
  from: string;
}

async function download(wanted: Wanted, file: string, to: string): Promise<string> {
  const fd = openSync(to, 'w', 0o600);
  try {
    const args = [
      'fetch',
      '--bucket',
      wanted.bucket,
      '--object',
      backupObject(wanted.host, wanted.backupId, file),
    ];
    const child = await startBackupChild(args, { stdin: 'ignore', stdout: fd }, wanted.signal);
    return (await child.result()).sha256;
  } catch (cause) {
    throw new LamplighterError(
      'not-found',
      `fetch ${file} of backup ${wanted.backupId}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
        details: { outcome: 'backup-not-found' },
      },
    );
  } finally {
    closeSync(fd);
  }
}

/** Finds the backup and checks all of what is needed of it, before anything is touched. */
export async function findBackup(wanted: Wanted): Promise<Found> {
  const local = await findLocal(wanted);
  if (local) return local;
  const dir = join(localBackupDir(wanted.localDir, wanted.backupId), 'fetched');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await download(wanted, MANIFEST_FILE, join(dir, MANIFEST_FILE));
  const manifest = readManifest(readFileSync(join(dir, MANIFEST_FILE), 'utf8'), wanted);
  const dumpFile = join(dir, PART_FILES.database);
  const sha256 = await download(wanted, PART_FILES.database, dumpFile);
  const part = manifest.parts.find(({ name }) => name === 'database');
  if (part?.sha256 !== sha256) {
    throw new LamplighterError(
      'corrupt',
      `check backup ${wanted.backupId}: the dump in the bucket is not what the manifest says`,
      CORRUPT,
    );
  }
  return { manifest, dumpFile, from: 'the bucket' };
}
