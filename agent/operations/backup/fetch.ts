// Objects of the host's own backups, fetched from the bucket by the child that has the network.

import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { LamplighterError } from '#shared/errors.ts';
import { uploadAccount } from '../../host/accounts.ts';
import { startBackupChild } from '../../host/backup-child.ts';
import { isNotFound } from '../../host/joined.ts';
import { corruptBackup } from './read-manifest.ts';

export interface ObjectPlace {
  bucket: string;
  object: string;
  signal: AbortSignal;
}

const FILE_MODE = 0o600;
/** No manifest is larger. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

function fetchArguments({ bucket, object }: ObjectPlace): string[] {
  return ['fetch', '--bucket', bucket, '--object', object];
}

/** A small object's text; undefined when there is none. Throws `failed` when it could not be fetched. */
export async function fetchText(place: ObjectPlace): Promise<string | undefined> {
  const child = startBackupChild(
    await uploadAccount(),
    fetchArguments(place),
    { stdout: 'pipe' },
    place.signal,
  );
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.process.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_TEXT_BYTES) child.process.kill('SIGKILL');
    else chunks.push(chunk);
  });
  try {
    await child.result();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Writes an object to a new file. The child has the network and never the file: it gives its bytes by a pipe, so that
 * nothing of its account can change what is checked afterwards. Throws `not-found` when there is none, `failed` when it
 * could not be fetched, `corrupt` when more than `maxBytes` come.
 */
export async function fetchToFile(place: ObjectPlace, file: string, maxBytes: number): Promise<void> {
  const child = startBackupChild(
    await uploadAccount(),
    fetchArguments(place),
    { stdout: 'pipe' },
    place.signal,
  );
  const source = child.process.stdout;
  if (!source) throw new LamplighterError('internal', 'fetch an object: the child has no stdout');
  let bytes = 0;
  async function* bounded(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw corruptBackup(
          `fetch ${place.object}`,
          `it is larger than the ${maxBytes} bytes of its manifest`,
        );
      yield chunk;
    }
  }
  try {
    await pipeline(source, bounded, createWriteStream(file, { flags: 'wx', mode: FILE_MODE }));
  } catch (error) {
    child.process.kill('SIGKILL');
    await child.ended;
    throw error;
  }
  await child.result();
}
