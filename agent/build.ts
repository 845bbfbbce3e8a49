// Makes the agent's archive: three bundles, the Node that runs them, and the version. The VM needs nothing else.
import {
  chmodSync,
  constants,
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { build } from 'esbuild';
import { pack } from 'tar-stream';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..');
const ENTRIES = {
  agent: 'main.ts',
  runner: 'runner/main.ts',
  reader: 'reader/main.ts',
  install: 'install/main.ts',
  'backup-pack': 'backup-pack/main.ts',
  'backup-stream': 'backup-stream/main.ts',
} as const;
const PackageJson = z.object({ version: z.string() });

function readVersion(): string {
  return PackageJson.parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))).version;
}

/** Writes the unpacked archive (bin/node, lib/*.mjs, VERSION) to `outDir`. */
export async function buildAgent(outDir: string): Promise<void> {
  const lib = join(outDir, 'lib');
  rmSync(lib, { recursive: true, force: true });
  mkdirSync(join(outDir, 'bin'), { recursive: true });
  const entries = Object.entries(ENTRIES).filter(([, file]) => existsSync(join(import.meta.dirname, file)));
  const version = readVersion();
  await build({
    entryPoints: Object.fromEntries(entries.map(([name, file]) => [name, join(import.meta.dirname, file)])),
    outdir: lib,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // Google's clients stay a chunk of their own, loaded when they are needed.
    splitting: true,
    minifySyntax: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    define: { __LAMPLIGHTER_VERSION__: JSON.stringify(version) },
    // CommonJS packages inside ask for Node's own modules, their directory and their file by these names.
    banner: {
      js: "import { createRequire as lampRequire } from 'node:module'; const require = lampRequire(import.meta.url); const __dirname = import.meta.dirname; const __filename = import.meta.filename;",
    },
    logLevel: 'silent',
  });
  const node = join(outDir, 'bin/node');
  copyFileSync(process.execPath, node, constants.COPYFILE_FICLONE);
  chmodSync(node, 0o755);
  writeFileSync(join(outDir, 'VERSION'), `${version}\n`);
}

/** Packs an unpacked archive as `lamplighter-agent-VERSION-OS-ARCH.tar.gz` in `distDir`; returns its path. */
export async function packAgent(agentDir: string, distDir: string): Promise<string> {
  const file = join(distDir, `lamplighter-agent-${readVersion()}-${process.platform}-${process.arch}.tar.gz`);
  const archive = pack();
  const written = pipeline(archive, createGzip({ level: 6 }), createWriteStream(file));
  for (const { path, mode } of listFiles(agentDir)) {
    archive.entry({ name: `lamplighter-agent/${path}`, mode }, readFileSync(join(agentDir, path)));
  }
  archive.finalize();
  await written;
  return file;
}

function listFiles(agentDir: string): { path: string; mode: number }[] {
  const lib = readdirSync(join(agentDir, 'lib')).map((name) => ({ path: `lib/${name}`, mode: 0o644 }));
  return [{ path: 'VERSION', mode: 0o644 }, { path: 'bin/node', mode: 0o755 }, ...lib];
}
