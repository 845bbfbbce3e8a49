// Makes the agent's archive: its programs, the Node that runs them, and the list of both. The VM needs nothing else.
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
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { build } from 'esbuild';
import { pack } from 'tar-stream';
import * as z from 'zod';
import type { Signer } from '#shared/signing/dsse.ts';
import { BUILTINS_BY_REQUIRE } from './builtins-by-require.ts';
import { writeManifest } from './release/manifest.ts';
import { LEAST_GLIBC, LEAST_SYSTEMD, NODE_PINS } from './release/node-pins.ts';

const ROOT = join(import.meta.dirname, '..');
const ENTRIES = {
  agent: 'main.ts',
  runner: 'runner/main.ts',
  reader: 'reader/main.ts',
  install: 'install/main.ts',
  'backup-open': 'backup-open/main.ts',
  'backup-pack': 'backup-pack/main.ts',
  'backup-stream': 'backup-stream/main.ts',
  'backup-unpack': 'backup-unpack/main.ts',
} as const;
const LINE_LIMIT = 120;
const PackageJson = z.object({ version: z.string() });

function readVersion(): string {
  return PackageJson.parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))).version;
}

/** Which Node goes into an archive. */
export interface ArchiveOptions {
  /** process.platform and process.arch of the machines that it is for. */
  platform: string;
  nodeFile: string;
  nodeVersion: string;
  /** Signs the list of files. */
  signer?: Signer;
}

/** For the local stack's host, which is this machine: the Node that runs this. */
const OWN: ArchiveOptions = {
  platform: `${process.platform}-${process.arch}`,
  nodeFile: process.execPath,
  nodeVersion: process.versions.node,
};

/**
 * Writes the unpacked archive (install, bin/node, lib/*.mjs, VERSION, manifest.json) to `outDir`; returns the SHA-256 of its
 * list of files.
 */
export async function buildAgent(outDir: string, options: ArchiveOptions = OWN): Promise<string> {
  const lib = join(outDir, 'lib');
  for (const part of ['bin', 'lib', 'install', 'manifest.json', 'manifest.sig.json'])
    rmSync(join(outDir, part), { recursive: true, force: true });
  mkdirSync(join(outDir, 'bin'), { recursive: true });
  const entries = Object.entries(ENTRIES).filter(([, file]) => existsSync(join(import.meta.dirname, file)));
  const version = readVersion();
  await build({
    entryPoints: Object.fromEntries(entries.map(([name, file]) => [name, join(import.meta.dirname, file)])),
    outdir: lib,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // Google's clients and age stay chunks of their own, loaded when they are needed: each command starts a runner.
    splitting: true,
    // Node reads less at each start. Names stay and lines are short, so that a stack trace still shows the place.
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: LINE_LIMIT,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    plugins: [BUILTINS_BY_REQUIRE],
    // The package's other form holds every algorithm that there is.
    alias: { 'hash-wasm': 'hash-wasm/dist/index.esm.js' },
    define: { __LAMPLIGHTER_VERSION__: JSON.stringify(version) },
    // CommonJS packages inside ask for Node's own modules, their directory and their file by these names.
    banner: {
      js: "import { createRequire as lampRequire } from 'node:module'; const require = lampRequire(import.meta.url); const __dirname = import.meta.dirname; const __filename = import.meta.filename;",
    },
    logLevel: 'silent',
  });
  const node = join(outDir, 'bin/node');
  copyFileSync(options.nodeFile, node, constants.COPYFILE_FICLONE);
  chmodSync(node, 0o755);
  writeFileSync(join(outDir, 'VERSION'), `${version}\n`);
  const script = installScript(options.platform);
  if (script !== undefined) writeFileSync(join(outDir, 'install'), script, { mode: 0o755 });
  const { platform, nodeVersion, signer } = options;
  return await writeManifest(outDir, { version, platform, node: nodeVersion }, signer);
}

/** The script that a person starts; undefined on a system that has no release (the local stack on macOS). */
function installScript(platform: string): string | undefined {
  const pin = Object.entries(NODE_PINS).find(([name]) => name === platform)?.[1];
  return (
    pin &&
    readFileSync(join(import.meta.dirname, 'install/install.sh'), 'utf8')
      .replaceAll('@MACHINE@', pin.machine)
      .replaceAll('@GLIBC@', LEAST_GLIBC)
      .replaceAll('@SYSTEMD@', String(LEAST_SYSTEMD))
  );
}

/** Packs an unpacked archive as `lamplighter-agent-VERSION-PLATFORM.tar.gz` in `distDir`; returns its path. */
export async function packAgent(agentDir: string, distDir: string, platform: string): Promise<string> {
  const file = join(distDir, `lamplighter-agent-${readVersion()}-${platform}.tar.gz`);
  const archive = pack();
  const written = pipeline(archive, createGzip({ level: 6 }), createWriteStream(file));
  for (const path of readdirSync(agentDir, { recursive: true, encoding: 'utf8' }).toSorted()) {
    const stat = statSync(join(agentDir, path));
    if (!stat.isFile()) continue;
    // The same sources give the same bytes, whenever they are built.
    const entry = { name: `lamplighter-agent/${path}`, mode: stat.mode & 0o755, mtime: new Date(0) };
    archive.entry(entry, readFileSync(join(agentDir, path)));
  }
  archive.finalize();
  await written;
  return file;
}
