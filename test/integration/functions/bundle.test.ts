// What the deployed bundle loads before its first request: a cold start waits for it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { buildFunctions } from '#build/functions.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { ENTRY_POINTS } from '#shared/topology.ts';
import packageJson from '../../../package.json' with { type: 'json' };

// Below the repository, so that the bundle finds the packages that it names.
const bundle = join(import.meta.dirname, '../../../dist/test-bundle');

const Loaded = z.object({ builtins: z.array(z.string()), schemas: z.array(z.string()) });

/** The files of the bundle by the module that each begins with, and what each loads at once. */
type Outputs = Awaited<ReturnType<typeof buildFunctions>>['outputs'];

function handlersOf(outputs: Outputs): string[] {
  const handlers = Object.keys(outputs).filter((file) => /handler-\w+\.js$/.test(file));
  expect(handlers).toHaveLength(ENTRY_POINTS.length);
  return handlers;
}

/** The modules that are evaluated when these files are imported. */
function modulesAtStart(files: readonly string[], outputs: Outputs): string[] {
  const seen = new Set<string>();
  const follow = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { kind, path } of outputs[file]?.imports ?? []) if (kind === 'import-statement') follow(path);
  };
  for (const file of files) follow(file);
  return [...seen].flatMap((file) => Object.keys(outputs[file]?.inputs ?? {}));
}

/** Node's own modules that are loaded, and the kinds of the schemas that are built, once all handlers are. */
async function loadHandlers(handlers: readonly string[]): Promise<z.infer<typeof Loaded>> {
  const imports = ['index.js', ...handlers].map(
    (file) => `await import(${JSON.stringify(join(bundle, basename(file)))});`,
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

let outputs: Outputs;
let loaded: z.infer<typeof Loaded>;
beforeAll(async () => {
  mkdirSync(bundle, { recursive: true });
  ({ outputs } = await buildFunctions(bundle));
  loaded = await loadHandlers(handlersOf(outputs));
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

test('loads these packages at a start, and no other: YAML and Google come when they are used', () => {
  const start = [
    ...Object.keys(outputs).filter((file) => basename(file) === 'index.js'),
    ...handlersOf(outputs),
  ];
  const packages = modulesAtStart(start, outputs).flatMap(
    (file) => /node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(file)?.[1] ?? [],
  );
  const ours = new Set(packages.filter((name) => name in packageJson.dependencies));
  expect([...ours].toSorted()).toEqual(['croner', 'fastest-levenshtein', 'pg', 'uuid', 'ws', 'zod']);
});
