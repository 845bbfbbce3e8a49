// What the deployed bundle loads before its first request: a cold start waits for it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { buildFunctions } from '#local/build/functions.ts';
import { ENTRY_POINTS } from '#shared/topology.ts';

// Below the repository, so that the bundle finds the packages that it names.
const bundle = join(import.meta.dirname, '../../../dist/test-bundle');

beforeAll(async () => {
  mkdirSync(bundle, { recursive: true });
  await buildFunctions(bundle);
});
afterAll(() => rmSync(bundle, { recursive: true, force: true }));

/** Node's own modules that are loaded once these files of the bundle are. */
async function loadedBuiltins(files: readonly string[]): Promise<string[]> {
  const imports = files.map((file) => `await import(${JSON.stringify(join(bundle, file))});`);
  const script = `${imports.join('\n')}\nconsole.log(JSON.stringify(process.moduleLoadList));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin' },
  });
  const ended = once(child, 'exit');
  const printed = await text(child.stdout);
  expect(await ended).toEqual([0, null]);
  return z.array(z.string()).parse(JSON.parse(printed));
}

test('is loaded with every handler, and leaves what only fetch needs until somebody fetches', async () => {
  const handlers = readdirSync(bundle).filter((file) => /handler-\w+\.js$/.test(file));
  expect(handlers).toHaveLength(ENTRY_POINTS.length);
  const loaded = await loadedBuiltins(['index.js', ...handlers]);
  expect(loaded).toContain('NativeModule http');
  expect(loaded.filter((name) => name.includes('undici'))).toEqual([]);
});
