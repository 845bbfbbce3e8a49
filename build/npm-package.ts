// Fetches a pinned package from npm: by the ordinary client, without running a script of the package, and believed only by its
// hash.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LamplighterError, messageOf } from '#shared/errors.ts';

const FETCH_TIMEOUT_MS = 10 * 60_000;
const run = promisify(execFile);

export interface PinnedPackage {
  /** With its version, as npm takes it. */
  name: string;
  /** `sha512-…`, as npm's lock files write it. */
  integrity: string;
}

/** Fetches the package's archive into an empty directory; returns its path. Throws `unavailable` or `corrupt`. */
export async function fetchPackage({ name, integrity }: PinnedPackage, dir: string): Promise<string> {
  try {
    await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', dir, name], {
      cwd: dir,
      timeout: FETCH_TIMEOUT_MS,
    });
  } catch (cause) {
    throw new LamplighterError('unavailable', `fetch ${name} from npm: ${messageOf(cause)}`, {
      hint: 'Look whether the npm registry can be reached (npm ping), and try again.',
      cause,
    });
  }
  const [file] = readdirSync(dir).filter((entry) => entry.endsWith('.tgz'));
  const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(join(dir, file));
  const found = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  if (file !== undefined && found === integrity) return join(dir, file);
  throw new LamplighterError('corrupt', `check ${name}: it is not the package that is pinned (${found})`);
}
