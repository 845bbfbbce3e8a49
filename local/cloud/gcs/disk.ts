// Files that are either there whole, durably, or not at all.
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { v4 as uuid } from 'uuid';
import type * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';

/** A file that a kill left here half-written; swept at start. */
export const PARTIAL_SUFFIX = '.partial';

export async function writeJson(path: string, value: unknown): Promise<void> {
  const partial = `${path}.${uuid()}${PARTIAL_SUFFIX}`;
  const file = await open(partial, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(value));
    await file.sync();
  } finally {
    await file.close();
  }
  await moveDurably(partial, path);
}

/** Replaces `to`; the file's bytes must be on the disk already. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Every `*.json` of a directory, parsed; what a kill left half-written is removed on the way. */
export async function readJsonFiles<T>(directory: string, schema: z.ZodType<T>): Promise<[string, T][]> {
  const found: [string, T][] = [];
  for (const name of await readdir(directory)) {
    const path = `${directory}/${name}`;
    if (name.endsWith(PARTIAL_SUFFIX)) await rm(path, { force: true });
    else if (name.endsWith('.json')) found.push([name, await readJson(path, schema)]);
  }
  return found;
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new LamplighterError('corrupt', `read file ${path}: not what this server wrote`, {
      cause,
      hint: 'Restore the file or remove it; the object or bucket in it is then gone.',
    });
  }
}
