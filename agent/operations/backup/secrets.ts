// The secret parts of a backup: roles and configuration files. Encrypted here, in the runner, so that the child with the
// network never sees them.
import { createHash } from 'node:crypto';
import type { BackupPart } from '#shared/backup/manifest.ts';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { mustHaveEndedWell } from '../../host/joined.ts';
import {
  type Cluster,
  clusterArguments,
  PROGRAM_ENV,
  postgresAccount,
  programsFor,
} from '../../host/postgres.ts';
import type { startProgram } from '../../host/process.ts';
import { collectOutput } from './output.ts';
import { measure } from './upload.ts';

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

/** All that a program prints. Throws `failed` when it fails or prints too much: a part of it would not be a backup. */
async function readOutput(
  name: string,
  program: Parameters<typeof startProgram>[0],
  signal: AbortSignal,
): Promise<Buffer> {
  const { output, ended } = await collectOutput(name, program, { signal });
  mustHaveEndedWell([ended]);
  return output;
}

export interface SecretOrder {
  name: 'globals' | 'config';
  content: Buffer;
  recipients: readonly string[];
  object: string;
  localFile: string;
}

/** Encrypts a part to the team's recipients and writes it to the disk. */
export async function storeSecret({
  name,
  content,
  recipients,
  object,
  localFile,
}: SecretOrder): Promise<BackupPart> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const sealed = Buffer.from(await encrypter.encrypt(content));
  writeDurably(localFile, sealed, LOCAL_MODE);
  return {
    name,
    object,
    encoding: name === 'globals' ? 'sql+age' : 'tar+age',
    ...(await measure(sealed)),
    contentBytes: content.length,
    contentSha256: createHash('sha256').update(content).digest('hex'),
  };
}
