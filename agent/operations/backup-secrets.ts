// The secret parts of a backup: roles and configuration files. Encrypted here, in the runner, so that the child with the
// network never sees them.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Encrypter } from 'age-encryption';
import type { BackupPart } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { awaitEnd, mustEndWell, startBackupChild } from '../host/backup-child.ts';
import { type Cluster, clusterArguments, postgresAccount, postgresProgram } from '../host/postgres.ts';
import { runChecked, startProgram } from '../host/process.ts';
import { writeDurably } from '../runner/durable.ts';

const TIMEOUT_MS = 120_000;
const MAX_CONTENT_BYTES = 64 * 1024 * 1024;
const LOCAL_MODE = 0o600;

/** Roles and tablespaces as pg_dumpall writes them. */
export async function readGlobals(cluster: Cluster, signal: AbortSignal): Promise<Buffer> {
  const text = await runChecked({
    file: postgresProgram('pg_dumpall'),
    args: ['--globals-only', ...clusterArguments(cluster)],
    account: await postgresAccount(),
    timeoutMs: TIMEOUT_MS,
    maxOutputBytes: MAX_CONTENT_BYTES,
    signal,
  });
  return Buffer.from(text);
}

/** A tar of the configuration files that exist; the paths that do not are told. */
export async function readConfiguration(
  paths: readonly string[],
): Promise<{ tar: Buffer; missing: string[] }> {
  const missing = paths.filter((path) => !existsSync(path));
  const present = paths.filter((path) => existsSync(path)).map((path) => path.slice(1));
  if (present.length === 0)
    throw new LamplighterError('not-found', 'read configuration files: none of them exists');
  const child = startProgram(
    {
      file: '/usr/bin/tar',
      args: ['--create', '--file=-', '--directory=/', '--numeric-owner', '--', ...present],
    },
    ['ignore', 'pipe', 'pipe'],
  );
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_CONTENT_BYTES) child.kill('SIGKILL');
    else chunks.push(chunk);
  });
  await mustEndWell('tar', awaitEnd(child));
  return { tar: Buffer.concat(chunks), missing };
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
  const child = await startBackupChild(
    ['store', '--bucket', bucket, '--object', object],
    { stdin: 'pipe', stdout: 'ignore' },
    signal,
  );
  child.process.stdin?.on('error', () => undefined);
  child.process.stdin?.end(bytes);
  return await child.result();
}
