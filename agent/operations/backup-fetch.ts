// Objects of the host's own backups, fetched from the bucket by the child that has the network.
import { closeSync, openSync } from 'node:fs';
import type { StreamResult } from '../backup-stream/protocol.ts';
import { uploadAccount } from '../host/accounts.ts';
import { startBackupChild } from '../host/backup-child.ts';
import { isNotFound } from '../host/joined.ts';

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
    { stdin: 'ignore', stdout: 'pipe' },
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

/** Writes an object to a file of root's and tells what came. Throws `not-found` when there is none, `failed` when it could not be fetched. */
export async function fetchToFile(place: ObjectPlace, file: string): Promise<StreamResult> {
  const fd = openSync(file, 'w', FILE_MODE);
  try {
    const child = startBackupChild(
      await uploadAccount(),
      fetchArguments(place),
      { stdin: 'ignore', stdout: fd },
      place.signal,
    );
    return await child.result();
  } finally {
    closeSync(fd);
  }
}
