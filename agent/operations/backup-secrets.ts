// The secret parts of a backup: roles and configuration files. Encrypted here, in the runner, so that the child with the
// network never sees them.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Encrypter } from 'age-encryption';
import type { BackupPart } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { uploadAccount } from '../host/accounts.ts';
import { startBackupChild } from '../host/backup-child.ts';
import { awaitEnd, killOnAbort, mustHaveEndedWell } from '../host/joined.ts';
import {
  type Cluster,
  clusterArguments,
  PROGRAM_ENV,
  postgresAccount,
  programsFor,
} from '../host/postgres.ts';
import { startProgram } from '../host/process.ts';
import { writeDurably } from '../runner/durable.ts';

const MAX_CONTENT_BYTES = 64 * 1024 * 1024;
const LOCAL_MODE = 0o600;

/** Roles and tablespaces as pg_dumpall writes them. */
export async function readGlobals(cluster: Cluster, signal: AbortSignal): Promise<Buffer> {
  return await readOutput(
    'pg_dumpall',
    {
      file: (await programsFor(cluster, signal)).file('pg_dumpall'),
      args: ['--globals-only', ...clusterArguments(cluster)],
      account: await postgresAccount(),
      env: { ...PROGRAM_ENV, PGCLIENTENCODING: 'UTF8' },
    },
    signal,
  );
}

/** A tar of the configuration files that exist (an empty one when none does); the paths that do not are told. */
export async function readConfiguration(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<{ tar: Buffer; missing: string[] }> {
  const missing = paths.filter((path) => !existsSync(path));
  const present = paths.filter((path) => existsSync(path)).map((path) => path.slice(1));
  const args = ['--create', '--file=-', '--directory=/', '--numeric-owner'];
  // tar makes no archive of nothing unless it is told to read the names from nowhere.
  const names = present.length === 0 ? ['--files-from=/dev/null'] : ['--', ...present];
  const tar = await readOutput('tar', { file: '/usr/bin/tar', args: [...args, ...names] }, signal);
  return { tar, missing };
}

/** All that a program prints. Throws `failed` when it fails or prints too much: a part of it would not be a backup. */
async function readOutput(
  name: string,
  program: Parameters<typeof startProgram>[0],
  signal: AbortSignal,
): Promise<Buffer> {
  const child = startProgram(program, ['ignore', 'pipe', 'pipe']);
  killOnAbort(child, signal);
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_CONTENT_BYTES) child.kill('SIGKILL');
    else chunks.push(chunk);
  });
  const ended = await awaitEnd(name, child);
  if (bytes > MAX_CONTENT_BYTES) {
    throw new LamplighterError('failed', `run ${name}: more than ${MAX_CONTENT_BYTES} bytes`, {
      hint: "Name fewer or smaller files in the policy's configPaths.",
    });
  }
  mustHaveEndedWell([ended]);
  return Buffer.concat(chunks);
}

export interface SecretOrder {
  name: 'globals' | 'config';
  content: Buffer;
  recipients: readonly string[];
  bucket: string;
  object: string;
  localFile: string;
  signal: AbortSignal;
}

/** Encrypts a part to the team's recipients and stores it on disk and in the bucket. */
export async function storeSecret({
  name,
  content,
  recipients,
  bucket,
  object,
  localFile,
  signal,
}: SecretOrder): Promise<BackupPart> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const sealed = Buffer.from(await encrypter.encrypt(content));
  writeDurably(localFile, sealed, LOCAL_MODE);
  const { bytes, sha256, crc32c } = await uploadBytes(sealed, { bucket, object, signal });
  return {
    name,
    object,
    encoding: name === 'globals' ? 'sql+age' : 'tar+age',
    bytes,
    sha256,
    crc32c,
    contentBytes: content.length,
    contentSha256: createHash('sha256').update(content).digest('hex'),
  };
}

/** Uploads bytes through the child; the local copy is written by the caller. */
export async function uploadBytes(
  bytes: Buffer,
  { bucket, object, signal }: { bucket: string; object: string; signal: AbortSignal },
) {
  const child = startBackupChild(
    await uploadAccount(),
    ['store', '--bucket', bucket, '--object', object],
    { stdin: 'pipe', stdout: 'ignore' },
    signal,
  );
  child.process.stdin?.end(bytes);
  child.approve();
  return await child.result();
}
