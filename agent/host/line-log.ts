// A file of JSON lines on the host, each with an id, each once.
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { z } from 'zod';

const WithId = z.looseObject({ id: z.string() });
const FILE_MODE = 0o644;
const NEWLINE = 10;

function hasLine(file: string, id: string): boolean {
  if (!existsSync(file)) return false;
  return readFileSync(file, 'utf8')
    .split('\n')
    .some((line) => {
      if (!line.includes(id)) return false;
      try {
        return WithId.parse(JSON.parse(line)).id === id;
      } catch {
        return false;
      }
    });
}

function endsCut(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] !== NEWLINE;
}

/** Appends a line unless one with its id is there; true when it was appended. Durable when this returns. */
export function appendLineOnce(file: string, line: { id: string }): boolean {
  if (hasLine(file, line.id)) return false;
  const fd = openSync(file, 'a+', FILE_MODE);
  try {
    const start = endsCut(fd) ? '\n' : '';
    writeSync(fd, `${start}${JSON.stringify(line)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return true;
}
