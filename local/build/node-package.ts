// Gets the pinned Node of a platform from npm: by the ordinary client, without running a script of the package, and believed
// only by its hashes.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { NODE_PINS, NODE_VERSION, type ReleasePlatform } from '#agent/release/node-pins.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';

const ROOT = join(import.meta.dirname, '../..');
const CACHE = join(ROOT, 'node_modules/.cache/lamplighter-node');
const FETCH_TIMEOUT_MS = 10 * 60_000;
const run = promisify(execFile);

function hashOf(bytes: Uint8Array, algorithm: 'sha256' | 'sha512', encoding: 'hex' | 'base64'): string {
  return createHash(algorithm).update(bytes).digest(encoding);
}

function isPinned(file: string, platform: ReleasePlatform): boolean {
  return existsSync(file) && hashOf(readFileSync(file), 'sha256', 'hex') === NODE_PINS[platform].sha256;
}

/** Fetches the package into a directory of its own and returns its file. */
async function fetchPackage(platform: ReleasePlatform, dir: string): Promise<string> {
  const name = `${NODE_PINS[platform].package}@${NODE_VERSION}`;
  try {
    await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir, name], {
      cwd: dir,
      timeout: FETCH_TIMEOUT_MS,
    });
  } catch (cause) {
    throw new LamplighterError('unavailable', `fetch ${name} from npm: ${messageOf(cause)}`, {
      hint: 'The build needs the npm registry for the Node of the other platform.',
      cause,
    });
  }
  const [file] = readdirSync(dir).filter((entry) => entry.endsWith('.tgz'));
  const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(join(dir, file));
  const integrity = `sha512-${hashOf(bytes, 'sha512', 'base64')}`;
  if (file !== undefined && integrity === NODE_PINS[platform].integrity) return join(dir, file);
  throw new LamplighterError('corrupt', `check ${name}: it is not the package that is pinned (${integrity})`);
}

async function readNode(packageFile: string): Promise<Buffer> {
  const entries = createReadStream(packageFile).pipe(createGunzip()).pipe(extract());
  for await (const entry of entries) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(Buffer.from(chunk as Uint8Array));
    if (entry.header.name === 'package/bin/node') return Buffer.concat(chunks);
  }
  throw new LamplighterError('corrupt', `read ${packageFile}: there is no bin/node in it`);
}

/** The pinned Node of a platform as a file: the installed one where it is the same, else from the cache or from npm. */
export async function findPinnedNode(platform: ReleasePlatform): Promise<string> {
  const cached = join(CACHE, `node-${NODE_VERSION}-${platform}`);
  const found = [join(ROOT, 'node_modules/node/bin/node'), cached].find((file) => isPinned(file, platform));
  if (found !== undefined) return found;
  mkdirSync(CACHE, { recursive: true });
  const dir = mkdtempSync(join(CACHE, 'fetch-'));
  try {
    const fresh = join(dir, 'node');
    writeFileSync(fresh, await readNode(await fetchPackage(platform, dir)));
    chmodSync(fresh, 0o755);
    if (!isPinned(fresh, platform))
      throw new LamplighterError(
        'corrupt',
        `check Node for ${platform}: it is not the program that is pinned`,
      );
    renameSync(fresh, cached);
    return cached;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
