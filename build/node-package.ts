// Gets the pinned Node of a platform from npm, believed only by the hashes of the package and of the program in it.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { NODE_PINS, NODE_VERSION, type ReleasePlatform } from '#agent/release/node-pins.ts';
import { LamplighterError } from '#shared/errors.ts';
import { fetchPackage } from './npm-package.ts';

const ROOT = join(import.meta.dirname, '..');
const CACHE = join(ROOT, 'node_modules/.cache/lamplighter-node');

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isPinned(file: string, platform: ReleasePlatform): boolean {
  return existsSync(file) && hashOf(readFileSync(file)) === NODE_PINS[platform].sha256;
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
  const { package: name, integrity } = NODE_PINS[platform];
  const pinned = { name: `${name}@${NODE_VERSION}`, integrity };
  try {
    const fresh = join(dir, 'node');
    writeFileSync(fresh, await readNode(await fetchPackage(pinned, dir)));
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
