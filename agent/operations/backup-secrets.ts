// The secret parts of a backup: roles and configuration files. Encrypted here, in the runner, so that the child with the
// network never sees them.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Encrypter } from 'age-encryption';
import type { BackupPart } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { awaitEnd, type Ended, killOnAbort, mustHaveEndedWell } from '../host/joined.ts';
import {
  type Cluster,
  clusterArguments,
  PROGRAM_ENV,
  postgresAccount,
  programsFor,
} from '../host/postgres.ts';
import { startProgram } from '../host/process.ts';
import { writeDurably } from '../runner/durable.ts';
import { measure } from './backup-upload.ts';

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

/** Exit code of tar when it is done, but a file changed, shrank or vanished while it was read. */
const TAR_SOME_DIFFER = 1;
const MAX_NOTES = 5;

export interface Configuration {
  tar: Buffer;
  /** For people: what is not there, and what changed while it was read. */
  notes: string[];
}

/**
 * A tar of the configuration files that exist (an empty one when none does). A log that grows while it is read, or a file
 * that goes, is no reason to be without a backup: it is noted.
 */
export async function readConfiguration(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Configuration> {
  const present = paths.filter((path) => existsSync(path));
  const missing = paths.filter((path) => !present.includes(path)).map((path) => `not there: ${path}`);
  const args = ['--create', '--file=-', '--directory=/', '--numeric-owner'];
  // tar makes no archive of nothing unless it is told to read the names from nowhere.
  const names =
    present.length === 0 ? ['--files-from=/dev/null'] : ['--', ...present.map((path) => path.slice(1))];
  const { output, ended } = await collectOutput(
    'tar',
    { file: '/usr/bin/tar', args: [...args, ...names] },
    signal,
  );
  const differs = ended.code === TAR_SOME_DIFFER;
  // One that was there a moment ago is missing like the others.
  const gone = present.filter((path) => !existsSync(path));
  if (!differs && ended.code !== 0 && gone.length > 0) {
    const again = await readConfiguration(
      present.filter((path) => !gone.includes(path)),
      signal,
    );
    return {
      tar: again.tar,
      notes: [...missing, ...gone.map((path) => `not there: ${path}`), ...again.notes],
    };
  }
  if (!differs) mustHaveEndedWell([ended]);
  return { tar: output, notes: [...missing, ...(differs ? tarNotes(ended.said) : [])] };
}

function tarNotes(said: string): string[] {
  const lines = said.split('\n').flatMap((line) => /^[^:]*tar: (.+)$/.exec(line)?.[1] ?? []);
  const told = lines.filter((line) => !line.startsWith('Removing leading')).slice(0, MAX_NOTES);
  return told.length > 0 ? told : ['files changed while they were read'];
}

/** All that a program prints. Throws `failed` when it fails or prints too much: a part of it would not be a backup. */
async function readOutput(
  name: string,
  program: Parameters<typeof startProgram>[0],
  signal: AbortSignal,
): Promise<Buffer> {
  const { output, ended } = await collectOutput(name, program, signal);
  mustHaveEndedWell([ended]);
  return output;
}

/** What a program prints and how it ended. Throws `failed` when it prints too much. */
async function collectOutput(
  name: string,
  program: Parameters<typeof startProgram>[0],
  signal: AbortSignal,
): Promise<{ output: Buffer; ended: Ended }> {
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
  return { output: Buffer.concat(chunks), ended };
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
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const sealed = Buffer.from(await encrypter.encrypt(content));
  writeDurably(localFile, sealed, LOCAL_MODE);
  return {
    name,
    object,
    encoding: name === 'globals' ? 'sql+age' : 'tar+age',
    ...measure(sealed),
    contentBytes: content.length,
    contentSha256: createHash('sha256').update(content).digest('hex'),
  };
}
