import { join } from 'node:path';
import { isExecutable } from '#local/demo/setup/is-executable.ts';
import { LamplighterError } from '#shared/errors.ts';

const DIRECTORIES = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];

/** This machine's nginx by its absolute path. Throws `not-found` with what to install. */
export function findNginx(): string {
  const file = DIRECTORIES.map((dir) => join(dir, 'nginx')).find(isExecutable);
  if (file !== undefined) return file;
  throw new LamplighterError('not-found', 'find nginx: the program is not installed on this machine', {
    hint: 'Debian/Ubuntu: apt install nginx. Fedora: dnf install nginx. macOS: brew install nginx.',
  });
}
