// Reads the files that the policy calls secret, for their values: only processes of root's do. Nothing of them is kept or told.
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { secretValuesOf } from '../redaction/secret-values.ts';

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_FILES = 200;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** The file itself, or the files right in the directory. */
function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => join(path, name));
}

/** Text of a plain file; a pipe in its place does not block. */
function readText(file: string): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return '';
    if (stat.size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function readValues(path: string): string[] {
  try {
    const files = filesOf(path);
    if (files.length > MAX_FILES) throw new Error(`it has more than ${MAX_FILES} files`);
    return files.flatMap((file) => secretValuesOf(readText(file)));
  } catch (cause) {
    // What is not there has nothing to hide.
    if (isMissing(cause)) return [];
    throw new LamplighterError('failed', `read secret file ${path}: ${messageOf(cause)}`, {
      hint: 'Until root mends this or takes the file out of the policy, no log of this host is shown.',
      cause,
    });
  }
}

/** The values of all files. Throws `failed` for one that is there and can't be read: then nothing may be told. */
export function readSecretValues(paths: readonly string[]): string[] {
  return [...new Set(paths.flatMap(readValues))];
}
