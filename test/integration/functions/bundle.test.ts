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
import { NOBODY_THERE } from '#test/fixtures/deployed-function.ts';
import packageJson from '../../../package.json' with { type: 'json' };

// Below the repository, so that the bundle finds the packages that it names.
const bundle = join(import.meta.dirname, '../../../dist/test-bundle');

const FUNCTIONS = 'functions/index.ts';
const ASK = `
  const schemas = [];
  // The hook is zod's own, for its compiler; without it the list is empty, and the test says so.
  globalThis.__zod_globalConfig = { postProcessor: ({ _zod }) => schemas.push(_zod.def.type ?? 'check') };
  require(process.argv[1]);
  const { getTestServer } = require('@google-cloud/functions-framework/testing');
  const { get } = require('node:http');
  const ask = (server) => new Promise((resolve, reject) => {
    get({ port: server.address().port, path: '/v1/health' }, (res) => {
      res.resume();
      res.on('end', () => resolve(res.statusCode));
    }).on('error', reject);
  });
  const files = () => Object.keys(require.cache);
  void (async () => {
    const answers = {};
    for (const name of process.argv.slice(2)) {
      const server = getTestServer(name);
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
      answers[name] = await ask(server);
      server.close();
      server.closeAllConnections();
    }
    console.error(JSON.stringify({ answers, builtins: process.moduleLoadList, files: files(), schemas }));
    process.exit();
  })();`;
const Loaded = z.object({
  answers: z.record(z.string(), z.int()),
  builtins: z.array(z.string()),
  files: z.array(z.string()),
  schemas: z.array(z.string()),
});
const NAMES = ENTRY_POINTS.map(({ name }) => name);

/** What is loaded and which kinds of schemas are built once every entry point has given its first answer. */
async function askEach(): Promise<z.infer<typeof Loaded>> {
  const args = ['--input-type=commonjs', '--eval', ASK, join(bundle, 'index.js'), ...NAMES];
  const env = { ...NOBODY_THERE, GOOGLE_CLOUD_PROJECT: 'test', PATH: '/usr/bin:/bin' };
  // What the functions log goes to stdout.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  const ended = once(child, 'exit');
  const printed = await text(child.stderr);
  expect(await ended, printed).toEqual([0, null]);
  return Loaded.parse(JSON.parse(printed));
}

/** The modules that are evaluated when these are imported. */
function modulesAtStart(first: readonly string[], inputs: Inputs): string[] {
  const seen = new Set<string>();
  const follow = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { kind, path } of inputs[file]?.imports ?? []) if (kind !== 'dynamic-import') follow(path);
  };
  for (const file of first) follow(file);
  return [...seen];
}

type Inputs = Awaited<ReturnType<typeof buildFunctions>>['inputs'];
let inputs: Inputs;
let loaded: z.infer<typeof Loaded>;
beforeAll(async () => {
  mkdirSync(bundle, { recursive: true });
  ({ inputs } = await buildFunctions(bundle));
  loaded = await askEach();
});
afterAll(() => rmSync(bundle, { recursive: true, force: true }));

test('every entry point answers, and leaves what only fetch needs and Google’s clients until somebody uses them', () => {
  // The relay speaks WebSocket alone, the others are only posted to.
  const statuses = NAMES.map((name) => [name, { api: 200, live: 426 }[name as string] ?? 405]);
  expect(loaded.answers).toEqual(Object.fromEntries(statuses));
  expect(loaded.builtins).toContain('NativeModule http');
  expect(loaded.builtins.filter((name) => name.includes('undici'))).toEqual([]);
  const ours = loaded.files.filter((file) => file.startsWith(bundle));
  expect(ours.map((file) => basename(file))).toEqual(['index.js']);
});

test('leaves the schemas of messages, rows and documents until one is read: only operations show their parameters', () => {
  const composite = loaded.schemas.filter((type) => ['object', 'union', 'intersection'].includes(type));
  expect(composite.length).toBeGreaterThan(0);
  // And one of the configuration.
  expect(composite.length).toBeLessThanOrEqual(CATALOGUE.length + 1);
});

test('evaluates these packages at a start, and no other: YAML and Google come when they are used', () => {
  const handlers = (inputs[FUNCTIONS]?.imports ?? []).filter(({ kind }) => kind === 'dynamic-import');
  expect(new Set(handlers.map(({ path }) => path)).size).toBe(ENTRY_POINTS.length);
  const packages = modulesAtStart([FUNCTIONS, ...handlers.map(({ path }) => path)], inputs).flatMap(
    (file) => /node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(file)?.[1] ?? [],
  );
  const ours = new Set(packages.filter((name) => name in packageJson.dependencies));
  expect([...ours].toSorted()).toEqual(['croner', 'fastest-levenshtein', 'pg', 'uuid', 'ws', 'zod']);
});
