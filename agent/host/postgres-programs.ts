// Which of the installed versions of PostgreSQL's client programs works with a server. A dump is restored by the programs
// of the same version, so the same choice holds for both ways.
import { existsSync, readdirSync } from 'node:fs';
import { LamplighterError } from '#shared/errors.ts';
import { onHost } from '../config/paths.ts';
import { runChecked } from './process.ts';

/** The oldest server that is backed up and restored. */
export const MIN_SERVER_MAJOR = 13;
/**
 * Since 17 pg_restore sets `transaction_timeout`, which older servers do not know: what pg_dump 17 takes from a server of 15
 * can't be restored there, and pg_restore 15 can't read it.
 */
const TRANSACTION_TIMEOUT_MAJOR = 17;
/**
 * Minor releases of pg_dump that close CVE-2024-7348: before them, a role could put a view in the place of a table while
 * pg_dump was running, and its functions ran as the superuser that dumps.
 */
const SAFE_MINOR: Readonly<Record<number, number>> = { 13: 16, 14: 13, 15: 8, 16: 4 };
const SAFE_MAJOR = 17;

const DEBIAN_DIR = onHost('/usr/lib/postgresql');
const PLAIN_DIR = onHost('/usr/bin');
const TIMEOUT_MS = 10_000;

export type ProgramName = 'psql' | 'pg_dump' | 'pg_dumpall' | 'pg_restore';

export interface Programs {
  /** Of the server: the programs may be newer, and what a statement may say goes by the server alone. */
  serverMajor: number;
  /** What `pg_dump --version` prints. */
  version: string;
  /** Absolute path of a program. */
  file(name: ProgramName): string;
}

/** Major and minor of what a program prints of its version; undefined for a version without a minor number (a beta). */
export function parseVersion(text: string): { major: number; minor: number } | undefined {
  const [, major, minor] = /\(PostgreSQL\) (\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/**
 * The version to use with a server: its own, else the smallest newer one whose dumps can be restored on it. Throws `refused`
 * for a server that is too old, `unavailable` when no version fits.
 */
export function chooseMajor(serverMajor: number, installed: readonly number[]): number {
  if (serverMajor < MIN_SERVER_MAJOR) {
    throw new LamplighterError(
      'refused',
      `choose programs for PostgreSQL ${serverMajor}: ${MIN_SERVER_MAJOR} is the oldest version that is supported`,
      { hint: `Upgrade the server to PostgreSQL ${MIN_SERVER_MAJOR} or later.` },
    );
  }
  const isNew = (major: number): boolean => major >= TRANSACTION_TIMEOUT_MAJOR;
  const fitting = installed
    .filter((major) => major >= serverMajor && isNew(major) === isNew(serverMajor))
    .toSorted((a, b) => a - b);
  if (fitting[0] !== undefined) return fitting[0];
  const found = installed.length === 0 ? 'none' : installed.toSorted((a, b) => a - b).join(', ');
  throw new LamplighterError(
    'unavailable',
    `choose programs for PostgreSQL ${serverMajor}: none of the installed client programs can back up and restore it (installed: ${found})`,
    {
      hint: `Install the client programs of the server's version: apt install postgresql-client-${serverMajor}`,
    },
  );
}

/** Throws `refused` when this pg_dump runs code of the database's users as a superuser (CVE-2024-7348). */
export function assertDumpIsSafe(version: string): void {
  const parsed = parseVersion(version);
  const isSafe =
    parsed !== undefined &&
    (parsed.major >= SAFE_MAJOR || parsed.minor >= (SAFE_MINOR[parsed.major] ?? Number.POSITIVE_INFINITY));
  if (isSafe) return;
  const major = parsed?.major;
  const needed = major === undefined ? undefined : SAFE_MINOR[major];
  throw new LamplighterError(
    'refused',
    `use ${version}: it lets a role of the database run code as a superuser (CVE-2024-7348)`,
    {
      hint:
        needed === undefined
          ? `Install the client programs of PostgreSQL ${SAFE_MAJOR} or later.`
          : `Install the client programs of PostgreSQL ${major}.${needed} or later: apt install --only-upgrade postgresql-client-${major}`,
    },
  );
}

function debianMajors(): number[] {
  if (!existsSync(DEBIAN_DIR)) return [];
  return readdirSync(DEBIAN_DIR)
    .filter((name) => /^\d+$/.test(name) && existsSync(`${DEBIAN_DIR}/${name}/bin/pg_dump`))
    .map(Number);
}

async function versionOf(dir: string): Promise<string> {
  const printed = await runChecked({ file: `${dir}/pg_dump`, args: ['--version'], timeoutMs: TIMEOUT_MS });
  return printed.trim();
}

/** Directories of client programs by major version: Debian's, or else the one of /usr/bin. */
async function installedPrograms(): Promise<Map<number, string>> {
  const majors = debianMajors();
  if (majors.length > 0) return new Map(majors.map((major) => [major, `${DEBIAN_DIR}/${major}/bin`]));
  if (!existsSync(`${PLAIN_DIR}/pg_dump`)) return new Map();
  const major = parseVersion(await versionOf(PLAIN_DIR))?.major;
  return new Map(major === undefined ? [] : [[major, PLAIN_DIR]]);
}

/** The programs for a server of this major version. Throws `refused` or `unavailable` with what to install. */
export async function findPrograms(serverMajor: number): Promise<Programs> {
  const installed = await installedPrograms();
  const major = chooseMajor(serverMajor, [...installed.keys()]);
  const dir = installed.get(major) ?? PLAIN_DIR;
  return { serverMajor, version: await versionOf(dir), file: (name) => `${dir}/${name}` };
}

/** A client program of the newest version: what we send it, each version sends to each server in the same way. */
export function newestProgram(name: 'psql' | 'pg_isready'): string {
  const newest = Math.max(...debianMajors());
  const file = [`${DEBIAN_DIR}/${newest}/bin/${name}`, `${PLAIN_DIR}/${name}`].find((path) =>
    existsSync(path),
  );
  if (file !== undefined) return file;
  throw new LamplighterError(
    'unavailable',
    `find ${name}: PostgreSQL's client programs are not installed on this host`,
    {
      hint: "Install the client programs of the server's version, for example: apt install postgresql-client",
    },
  );
}
