// Finds PostgreSQL's programs and the account that they run under: the server refuses to run as root.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable } from '#local/demo/setup/is-executable.ts';
import { LamplighterError } from '#shared/errors.ts';

export interface PostgresPrograms {
  postgres: string;
  initdb: string;
  pgCtl: string;
}

/** Account to run as; undefined: the current one. */
export interface Account {
  uid: number;
  gid: number;
}

const DEBIAN_ROOT = '/usr/lib/postgresql';
const OTHER_DIRS = ['/usr/bin', '/usr/local/bin', '/usr/local/pgsql/bin', '/opt/homebrew/bin'];

function debianDirs(): string[] {
  try {
    const versions = readdirSync(DEBIAN_ROOT).toSorted((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(DEBIAN_ROOT, version, 'bin'));
  } catch {
    return [];
  }
}

/** The newest PostgreSQL server of this machine, by absolute paths. Throws `not-found` with what to install. */
export function findPostgres(path = process.env.PATH ?? ''): PostgresPrograms {
  const dirs = [...debianDirs(), ...path.split(':').filter((dir) => dir.startsWith('/')), ...OTHER_DIRS];
  for (const dir of dirs) {
    const programs = {
      postgres: join(dir, 'postgres'),
      initdb: join(dir, 'initdb'),
      pgCtl: join(dir, 'pg_ctl'),
    };
    if (Object.values(programs).every(isExecutable)) return programs;
  }
  throw new LamplighterError(
    'not-found',
    'find PostgreSQL server: the programs initdb and postgres are not installed on this machine',
    {
      hint: 'Debian/Ubuntu: apt install postgresql. Fedora: dnf install postgresql-server. macOS: brew install postgresql@17.',
    },
  );
}

/** The account `postgres` when we run as root; otherwise undefined. Throws `not-found` when the machine has no such account. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) {
    throw new LamplighterError(
      'not-found',
      'find account postgres: PostgreSQL refuses to run as root, and this machine has no such account',
      {
        hint: 'Install the package postgresql, which makes the account.',
      },
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}
