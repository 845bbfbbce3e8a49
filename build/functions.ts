// The functions' deployable source: our code and the npm packages that it uses in one bundle, so that what runs is what was
// tested, down to the last package, and a cold start reads a few files instead of a thousand. Packages that can't be bundled
// are named in a package.json of its own, with the very versions that were tested.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import * as z from 'zod';

const ROOT = join(import.meta.dirname, '..');
/** The framework loads the bundle, so it is not part of it. */
const UNBUNDLED = ['@google-cloud/functions-framework'];
const LINE_LIMIT = 120;
/** An optional package of `pg` that we do not use. */
const ABSENT = ['pg-native'];
const PackageJson = z.object({ version: z.string(), dependencies: z.record(z.string(), z.string()) });

/** Large packages that no first answer needs: Google's clients alone would more than double a cold start. */
const BESIDE = [
  '@google-cloud/kms',
  '@google-cloud/pubsub',
  '@google-cloud/storage',
  'google-auth-library',
  'nodemailer',
  'yaml',
];
const BESIDE_FILE = 'packages.js';
/** Loads each of these packages from its own file when it is first used. */
const TAKEN_FROM_BESIDE: Plugin = {
  name: 'taken-from-beside',
  setup: ({ onResolve, onLoad }) => {
    const namespace = 'beside';
    onResolve({ filter: new RegExp(`^(${BESIDE.join('|')})$`) }, ({ path }) => ({ path, namespace }));
    onLoad({ filter: /./, namespace }, ({ path }) => ({
      contents: `module.exports = require('./${BESIDE_FILE}')['${path}'];`,
    }));
  },
};
const COMMON = {
  bundle: true,
  // One file, whose modules are evaluated when they are imported: finding and linking many ES modules takes a cold start longer.
  format: 'cjs',
  platform: 'node',
  target: 'node24',
  // V8 reads less at a start. Names stay, and lines are short: a stack trace still says where.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: LINE_LIMIT,
  logLevel: 'silent',
} as const;

/**
 * Writes the bundle, its package.json and the migrations to `outDir`, which is emptied first. Returns each module's imports.
 */
export async function buildFunctions(outDir: string): Promise<Metafile> {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  const { metafile } = await build({
    ...COMMON,
    entryPoints: [join(ROOT, 'functions/index.ts')],
    outfile: join(outDir, 'index.js'),
    external: [...UNBUNDLED, ...ABSENT, `./${BESIDE_FILE}`],
    plugins: [TAKEN_FROM_BESIDE],
    alias: {
      // Our own `#…` imports are code to bundle, not packages.
      ...Object.fromEntries(['shared', 'functions'].map((room) => [`#${room}`, join(ROOT, room)])),
      // The package's other form has every algorithm.
      'hash-wasm': 'hash-wasm/dist/index.esm.js',
    },
    define: { 'import.meta.dirname': '__dirname' },
    metafile: true,
  });
  const getters = BESIDE.map((name) => `get '${name}'() { return require('${name}'); }`);
  await build({
    ...COMMON,
    stdin: { contents: `module.exports = { ${getters.join(', ')} };`, resolveDir: ROOT },
    outfile: join(outDir, BESIDE_FILE),
  });
  cpSync(join(ROOT, 'functions/store/migrations'), join(outDir, 'migrations'), { recursive: true });
  const { version, dependencies } = PackageJson.parse(
    JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')),
  );
  const manifest = {
    name: 'lamplighter-functions',
    version,
    private: true,
    type: 'commonjs',
    main: 'index.js',
    engines: { node: '24' },
    dependencies: Object.fromEntries(UNBUNDLED.map((name) => [name, dependencies[name]])),
  };
  writeFileSync(join(outDir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return metafile;
}
