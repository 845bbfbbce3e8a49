// The functions' deployable source: our code bundled, npm packages named in a package.json of its own with the very
// versions that were tested. The functions framework must stay outside a bundle: it is the one that loads it.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '../..');
const PackageJson = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

function packageOf(specifier: string): string {
  const [scope = '', name = ''] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

/** Writes the bundle, its package.json and the migrations to `outDir`, which is emptied first. */
export async function buildFunctions(outDir: string): Promise<void> {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  const { metafile } = await build({
    entryPoints: [join(ROOT, 'functions/index.ts')],
    outdir: outDir,
    bundle: true,
    // Handlers stay lazily imported chunks: importing Google's clients at start more than doubles a cold start.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    packages: 'external',
    // Our own `#…` imports are code to bundle, not packages.
    alias: Object.fromEntries(['shared', 'functions'].map((room) => [`#${room}`, join(ROOT, room)])),
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'silent',
  });
  cpSync(join(ROOT, 'functions/store/migrations'), join(outDir, 'migrations'), { recursive: true });
  const { version, dependencies } = PackageJson.parse(
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')),
  );
  const imported = Object.values(metafile.outputs)
    .flatMap((output) => output.imports)
    .filter(({ external, path }) => external && !isBuiltin(path))
    .map(({ path }) => packageOf(path));
  const needed = [...new Set(['@google-cloud/functions-framework', ...imported])].toSorted();
  const manifest = {
    name: 'lamplighter-functions',
    version,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: { node: '24' },
    dependencies: Object.fromEntries(needed.map((name) => [name, dependencies[name]])),
  };
  writeFileSync(join(outDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
