// Files that are either there whole, durably, or not at all.
import { readdir, readFile, rm } from 'node:fs/promises';
import { v4 as uuid } from 'uuid';
import type * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { createDurableFile, moveDurably } from '#shared/kit/durable-file.ts';

/** A file that a kill left here half-written; swept at start. */
export const PARTIAL_SUFFIX = '.partial';

export async function writeJson(path: string, value: unknown): Promise<void> {
  const partial = `${path}.${uuid()}${PARTIAL_SUFFIX}`;
  await createDurableFile(partial, JSON.stringify(value));
  await moveDurably(partial, path);
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
    throw new LamplighterError('corrupt', `read file ${path}: the content is not a record of this server`, {
      cause,
      hint: 'Restore the file. If you remove it, its object or bucket is lost.',
    });
  }
}
