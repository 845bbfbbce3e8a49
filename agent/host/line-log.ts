// A file of JSON lines on the host, each with an id, each once.
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { openUnlinkedDirectory } from './trusted-path.ts';

const WithId = z.looseObject({ id: z.string() });
const FILE_MODE = 0o644;

/** Only so much of the end is searched: a line that comes twice comes within hours. */
const MAX_READ_BYTES = 16 * 1024 * 1024;

/**
 * Opens the log itself. Its directory may belong to the product, which must not lead root elsewhere: no link of other
 * accounts is followed, nothing but a plain file of one name is written to, and a pipe does not block. Throws `refused`.
 */
function openLog(file: string): number {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
  const directory = openUnlinkedDirectory(dirname(file));
  try {
    const flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
    const fd = openSync(directory.pathOf(basename(file)), flags, FILE_MODE);
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.nlink === 1) return fd;
    closeSync(fd);
  } finally {
    directory.close();
  }
  throw new LamplighterError(
    'refused',
    `append to ${file}: it is a link, or not a plain file with one name`,
    {
      hint: 'Remove it, or name another file in the policy.',
    },
  );
}

function readEnd(fd: number): string {
  const { size } = fstatSync(fd);
  const bytes = Buffer.alloc(Math.min(size, MAX_READ_BYTES));
  readSync(fd, bytes, 0, bytes.length, size - bytes.length);
  return bytes.toString('utf8');
}

function hasLine(text: string, id: string): boolean {
  return text.split('\n').some((line) => {
    if (!line.includes(id)) return false;
    try {
      return WithId.parse(JSON.parse(line)).id === id;
    } catch {
      return false;
    }
  });
}

/** Appends a line unless one with its id is there; true when it was appended. Durable when this returns. */
export function appendLineOnce(file: string, line: { id: string }): boolean {
  const fd = openLog(file);
  try {
    const text = readEnd(fd);
    if (hasLine(text, line.id)) return false;
    const isCut = text !== '' && !text.endsWith('\n');
    writeFileSync(fd, `${isCut ? '\n' : ''}${JSON.stringify(line)}\n`);
    fsyncSync(fd);
    return true;
  } finally {
    closeSync(fd);
  }
}
