// Reads the values in the files that the policy calls secret; only processes of root's do. Their content is never stored or
// shown. The product may write some of them: what it puts there, and where it has links lead, must not hold up or lead root.
import { closeSync, constants, fstatSync, opendirSync, openSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { secretValuesOf } from '../redaction/secret-values.ts';
import { findPathFault, openUnlinkedDirectory } from './trusted-path.ts';

const MAX_FILE_BYTES = 64 * 1024;
const MAX_FILES = 200;
/** Of all paths together. To find a value takes about 1.3 KB of memory for each of its characters. */
const MAX_BYTES = 256 * 1024;
const MAX_VALUES = 2000;
const MAX_VALUE_CHARACTERS = 64 * 1024;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** Opens the file; a pipe does not block, and no link is followed that another account can make. */
function openUnlinked(path: string): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  if (findPathFault(path) === undefined) return openSync(path, flags);
  const directory = openUnlinkedDirectory(dirname(path));
  try {
    return openSync(directory.pathOf(basename(path)), flags | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP')
      throw new Error("it is a link that is not root's; name the real file in the policy");
    throw error;
  } finally {
    directory.close();
  }
}

/** Names in a directory, no more than one over the bound: it may have millions. */
function namesIn(path: string): string[] {
  const names: string[] = [];
  const directory = opendirSync(path);
  try {
    for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
      if (!entry.isDirectory()) names.push(entry.name);
      if (names.length > MAX_FILES) throw new Error(`it has more than ${MAX_FILES} files`);
    }
  } finally {
    directory.closeSync();
  }
  return names;
}

/** The bytes of a plain file, no more than the limit even when the file grows meanwhile. */
function readBounded(fd: number): string {
  const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
  let size = 0;
  for (let read = -1; read !== 0 && size < bytes.length; size += read)
    read = readSync(fd, bytes, size, bytes.length - size, null);
  if (size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
  return bytes.toString('utf8', 0, size);
}

/** The text of a file, or of each file right in a directory. */
function readTexts(path: string, isInDirectory = false): string[] {
  const fd = openUnlinked(path);
  try {
    const stat = fstatSync(fd);
    if (stat.isFile()) return [readBounded(fd)];
    if (!stat.isDirectory() || isInDirectory) return [];
  } finally {
    closeSync(fd);
  }
  return namesIn(path).flatMap((name) => readTexts(join(path, name), true));
}

function failure(path: string, cause: unknown): LamplighterError {
  return new LamplighterError('failed', `read secret file ${path}: ${messageOf(cause)}`, {
    hint: 'No log of this host is shown until root mends this, or takes the file out of the policy.',
    cause,
  });
}

/** The values of all files together, within their limits. */
class Values {
  readonly all = new Set<string>();
  #bytes = 0;
  #characters = 0;

  add(text: string): void {
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > MAX_BYTES)
      throw new Error(`the secret files up to this one have more than ${MAX_BYTES} bytes`);
    for (const value of secretValuesOf(text)) {
      if (this.all.has(value)) continue;
      this.all.add(value);
      this.#characters += value.length;
    }
    if (this.all.size > MAX_VALUES)
      throw new Error(`the secret files up to this one have more than ${MAX_VALUES} values`);
    if (this.#characters > MAX_VALUE_CHARACTERS)
      throw new Error(
        `the values of the secret files up to this one have more than ${MAX_VALUE_CHARACTERS} characters`,
      );
  }
}

/**
 * The values of all files. Throws `failed` for a file that can't be read, or is beyond the limits: then no line of a log may
 * be shown.
 */
export function readSecretValues(paths: readonly string[]): string[] {
  const values = new Values();
  for (const path of paths) {
    try {
      for (const text of readTexts(path)) values.add(text);
    } catch (cause) {
      // A file that is missing holds no secret.
      if (!isMissing(cause)) throw failure(path, cause);
    }
  }
  return [...values.all];
}
