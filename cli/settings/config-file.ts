// The files that hold an address and a token: who may read them is checked, as ssh does with its keys.
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { describeFault } from '#shared/plain-issue.ts';
import { Secret } from '#shared/secret.ts';

export const ConfigFile = z.object({
  url: z.url({ protocol: /^https?$/, error: 'not an http(s) URL' }),
  token: z.string().min(1),
});

export interface Config {
  path: string;
  url: string;
  token: Secret;
}

/** The nearest `.lamplighter/lamp.json` from `start` upwards, or undefined. */
export function findConfigUpwards(start: string): string | undefined {
  let folder = start;
  for (;;) {
    const path = join(folder, '.lamplighter', 'lamp.json');
    if (lstatSync(path, { throwIfNoEntry: false })) return path;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

/** Reads a config file. Throws `invalid-input` when it is missing, readable by others, or not `{url, token}`. */
export function readConfig(path: string): Config {
  const text = readPrivateFile(path, 'config file');
  const parsed = ConfigFile.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new LamplighterError(
      'invalid-input',
      `read config file ${path}: ${describeFault(parsed.error, 'document')}`,
      { hint: 'The file must hold {"url": "https://…", "token": "…"}.' },
    );
  }
  return { path, url: parsed.data.url, token: new Secret(parsed.data.token) };
}

/** Reads a token alone in a file; the final line break does not count. */
export function readTokenFile(path: string): Secret {
  const token = readPrivateFile(path, 'token file').trim();
  if (token === '')
    throw new LamplighterError('invalid-input', `read token file ${path}: the file is empty`, {
      hint: 'The file must hold the token and nothing else.',
    });
  return new Secret(token);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readPrivateFile(path: string, noun: string): string {
  try {
    const facts = statSync(path);
    // A pipe (`--token-file <(…)`) has no mode that means anything.
    if (facts.isFile() && (facts.mode & 0o077) !== 0) {
      const mode = (facts.mode & 0o777).toString(8);
      throw new LamplighterError('invalid-input', `read ${noun} ${path}: others can read it (mode ${mode})`, {
        hint: `The file holds a token, so only you may read it: chmod 600 ${path}`,
      });
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof LamplighterError) throw error;
    throw new LamplighterError('invalid-input', `read ${noun} ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
