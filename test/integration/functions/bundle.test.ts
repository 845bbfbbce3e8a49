// What the deployed bundle loads before its first request: a cold start waits for it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { buildFunctions } from '#local/build/functions.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { ENTRY_POINTS } from '#shared/topology.ts';

// Below the repository, so that the bundle finds the packages that it names.
const bundle = join(import.meta.dirname, '../../../dist/test-bundle');

const Loaded = z.object({ builtins: z.array(z.string()), schemas: z.array(z.string()) });

/** Node's own modules that are loaded, and the kinds of the schemas that are built, once all handlers are. */
async function loadHandlers(): Promise<z.infer<typeof Loaded>> {
  const handlers = readdirSync(bundle).filter((file) => /handler-\w+\.js$/.test(file));
  expect(handlers).toHaveLength(ENTRY_POINTS.length);
  const imports = ['index.js', ...handlers].map(
    (file) => `await import(${JSON.stringify(join(bundle, file))});`,
  );
  // The hook is zod's own, for its compiler; without it the list is empty, and the test says so.
  const script = `
    const schemas = [];
    globalThis.__zod_globalConfig = { postProcessor: ({ _zod }) => schemas.push(_zod.def.type ?? 'check') };
    ${imports.join('\n')}
    console.log(JSON.stringify({ builtins: process.moduleLoadList, schemas }));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin' },
  });
  const ended = once(child, 'exit');
  const printed = await text(child.stdout);
  expect(await ended).toEqual([0, null]);
  return Loaded.parse(JSON.parse(printed));
}

let loaded: z.infer<typeof Loaded>;
beforeAll(async () => {
  mkdirSync(bundle, { recursive: true });
  await buildFunctions(bundle);
  loaded = await loadHandlers();
});
afterAll(() => rmSync(bundle, { recursive: true, force: true }));

test('is loaded with every handler, and leaves what only fetch needs until somebody fetches', () => {
  expect(loaded.builtins).toContain('NativeModule http');
  expect(loaded.builtins.filter((name) => name.includes('undici'))).toEqual([]);
});

test('leaves the schemas of messages, rows and documents until one is read: only operations show their parameters', () => {
  const composite = loaded.schemas.filter((type) => ['object', 'union', 'intersection'].includes(type));
  expect(composite.length).toBeGreaterThan(0);
  expect(composite.length).toBeLessThanOrEqual(CATALOGUE.length);
});
