// The functions' deployable source: our code and the npm packages that it uses in one bundle, so that what runs is what was
// tested, down to the last package, and a cold start reads a few files instead of a thousand. Packages that can't be bundled
// are named in a package.json of its own, with the very versions that were tested.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';
import * as z from 'zod';
import { BUILTINS_BY_REQUIRE } from '#agent/builtins-by-require.ts';

const ROOT = join(import.meta.dirname, '..');
/** The framework loads the bundle, so it stands outside; the other has a part in machine code. */
const UNBUNDLED = ['@google-cloud/functions-framework', '@node-rs/crc32'];
const LINE_LIMIT = 120;
/** Asked for by `pg` when somebody wants it, which we do not. */
const ABSENT = ['pg-native'];
const PackageJson = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

/**
 * Writes the bundle, its package.json and the migrations to `outDir`, which is emptied first. Gives which module is in which
 * file of the bundle.
 */
export async function buildFunctions(outDir: string): Promise<Metafile> {
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
    external: [...UNBUNDLED, ...ABSENT],
    plugins: [BUILTINS_BY_REQUIRE],
    // V8 reads less at a start. Names stay, and lines are short: a stack trace still says where.
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: LINE_LIMIT,
    metafile: true,
    // Our own `#…` imports are code to bundle, not packages.
    alias: Object.fromEntries(['shared', 'functions'].map((room) => [`#${room}`, join(ROOT, room)])),
    // CommonJS packages inside ask for Node's own modules, their directory and their file by these names.
    banner: {
      js: "import { createRequire as lampRequire } from 'node:module'; const require = lampRequire(import.meta.url); const __dirname = import.meta.dirname; const __filename = import.meta.filename;",
    },
    logLevel: 'silent',
  });
  cpSync(join(ROOT, 'functions/store/migrations'), join(outDir, 'migrations'), { recursive: true });
  const { version, dependencies } = PackageJson.parse(
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')),
  );
  const manifest = {
    name: 'lamplighter-functions',
    version,
    private: true,
    type: 'module',
    main: 'index.js',
    engines: { node: '24' },
    dependencies: Object.fromEntries(UNBUNDLED.map((name) => [name, dependencies[name]])),
  };
  writeFileSync(join(outDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return metafile;
}
