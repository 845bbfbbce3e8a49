// Where a restore takes a backup from: the local copy when it is whole, else the bucket; believed only when its manifest
// carries this host's own signature and every byte is as the manifest says.
import type { KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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
import { type OpenDump, openDump } from './restore-dump.ts';
import { needRoom } from './restore-room.ts';

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
  if (manifest.host !== wanted.host || manifest.backupId !== wanted.backupId) {
    throw new LamplighterError(
      'corrupt',
      `check backup ${wanted.backupId}: its manifest is of ${manifest.backupId}, ${manifest.database} on ${manifest.host}`,
      CORRUPT,
    );
  }
  if (manifest.database === wanted.database) return manifest;
  throw new LamplighterError(
    'refused',
    `check backup ${wanted.backupId}: it is a backup of database ${manifest.database}, not of ${wanted.database}`,
    {
      details: { outcome: OTHER_DATABASE },
      hint: `Choose a backup of ${wanted.database}: lamp backups lists them with their databases.`,
    },
  );
}

const OTHER_DATABASE = 'other-database';

function isOfOtherDatabase(error: unknown): boolean {
  return error instanceof LamplighterError && error.details.outcome === OTHER_DATABASE;
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
  throw new LamplighterError('corrupt', `check backup ${backupId}: its manifest names no database`, CORRUPT);
}

/** The local copy's manifest and dump; a string says why it will not do. */
async function findLocal(wanted: Wanted): Promise<Found | string> {
  const dir = localBackupDir(wanted.localDir, wanted.backupId);
  const [manifestFile, dumpFile] = [join(dir, MANIFEST_FILE), join(dir, PART_FILES.database)];
  if (!existsSync(manifestFile) || !existsSync(dumpFile)) return 'there is no local copy';
  try {
    const manifest = readManifest(readFileSync(manifestFile, 'utf8'), wanted);
    const dump = await openDump(dumpFile, databasePart(manifest));
    return { manifest, dump, from: 'the local copy' };
  } catch (error) {
    if (isOfOtherDatabase(error)) throw error;
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
  needRoom([{ path: workDir, bytes: part.bytes }], `fetch backup ${backupId}`);
  const dumpFile = join(workDir, PART_FILES.database);
  await fetchToFile(place(PART_FILES.database), dumpFile, part.bytes).catch((error: unknown) => {
    throw isNotFound(error) ? missing(PART_FILES.database) : error;
  });
  return { manifest, dump: await openDump(dumpFile, part), from: 'the bucket' };
}

/** Finds the backup and checks all of what is needed of it, before anything is touched. */
export async function findBackup(wanted: Wanted, note: (text: string) => void): Promise<Found> {
  const local = await findLocal(wanted);
  if (typeof local !== 'string') return local;
  note(`${local}; fetching it from the bucket`);
  return await findInBucket(wanted);
}
