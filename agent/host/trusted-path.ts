// Whether a path may be trusted: as sshd's StrictModes has it, each directory and link on the way belongs to root, and
// nobody else can write to it. Only root can then change where the path leads, so the answer still holds when it is used.
import { closeSync, constants, lstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { HAS_ACCOUNTS, onHost } from '../config/paths.ts';

const GROUP_MAY_WRITE = 0o020;
const OTHERS_MAY_WRITE = 0o002;
const STICKY = 0o1000;
/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** Root, and whoever runs this: on a host the runner is root; where there are no accounts, one account owns everything. */
function isTrustedOwner(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.();
}

/** A user's own group counts as the user; root's does not, since others may be in it. */
function canOthersWrite({ mode, gid }: Stats): boolean {
  if ((mode & OTHERS_MAY_WRITE) !== 0) return true;
  const isOwnGroup = process.getuid?.() !== 0 && gid === process.getgid?.();
  return (mode & GROUP_MAY_WRITE) !== 0 && !isOwnGroup;
}

/** The file's status, without following a link; undefined when the file does not exist or this account has no access. */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'EACCES') return undefined;
    throw error;
  }
}

/** What is wrong with one name on the way, or undefined. */
function faultOf(path: string, stat: Stats): string | undefined {
  if (!isTrustedOwner(stat.uid)) return `${path} belongs to uid ${stat.uid}, not to root`;
  // A link has no mode of its own; in a directory that only root writes to, nobody else can replace it.
  if (stat.isSymbolicLink()) return undefined;
  // In a sticky directory nobody can rename or remove what belongs to root: what lies in it is looked at next.
  const isSticky = stat.isDirectory() && (stat.mode & STICKY) !== 0;
  if (canOthersWrite(stat) && !isSticky) return `${path} can be written by others than root`;
  return undefined;
}

function isOpenToAll(stat: Stats): boolean {
  return stat.isDirectory() && (stat.mode & STICKY) !== 0 && canOthersWrite(stat);
}

interface Place {
  /** A real path: no name of it is a link. */
  path: string;
  stat: Stats;
}

/** Goes on from a place; `linksLeft` bounds links that lead in a circle. */
function walk(from: Place, names: readonly string[], linksLeft: number): string | undefined {
  const [name, ...rest] = names;
  if (name === undefined) return isOpenToAll(from.stat) ? `anybody can write to ${from.path}` : undefined;
  if (name === '..') return walk(placeAt(dirname(from.path)), rest, linksLeft);
  const path = join(from.path, name);
  const stat = look(path);
  if (!stat) return isOpenToAll(from.stat) ? `anybody can make ${path}` : undefined;
  const fault = faultOf(path, stat);
  if (fault !== undefined) return fault;
  if (!stat.isSymbolicLink()) return walk({ path, stat }, rest, linksLeft);
  if (linksLeft === 0) return `${path} leads through too many links`;
  const target = readlinkSync(path);
  const next = target.startsWith('/') ? placeAt('/') : from;
  return walk(next, [...namesIn(target), ...rest], linksLeft - 1);
}

function placeAt(path: string): Place {
  return { path, stat: lstatSync(path) };
}

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** Why a path can't be trusted, or undefined. A name that is missing is fine where only root can make it. */
export function findPathFault(path: string): string | undefined {
  // What lies above the host's own root is not the host's.
  const root = onHost('/');
  const start = placeAt(path.startsWith(root) ? root : '/');
  const fault = faultOf(start.path, start.stat);
  return fault ?? walk(start, namesIn(path.slice(start.path.length)), MAX_LINKS);
}

/** The same for a directory that belongs to a service (a socket's): the way to it is root's, and it is not open to all. */
export function findServiceDirectoryFault(path: string): string | undefined {
  const fault = findPathFault(dirname(path));
  if (fault !== undefined) return fault;
  const stat = look(path);
  return stat && (stat.mode & OTHERS_MAY_WRITE) !== 0 && !stat.isSymbolicLink()
    ? `anybody can write to ${path}`
    : undefined;
}

/** Throws `refused` unless every directory, link and file on the way to `path` is root's and only root's to write. */
export function requireTrustedPath(path: string): void {
  const fault = findPathFault(path);
  if (fault === undefined) return;
  throw new LamplighterError('refused', `use ${path} as root: ${fault}`, {
    hint: `Give every directory of ${path} to root, without write permission for others (chown root, chmod go-w), or choose another path.`,
  });
}

/** A directory held open: names below it lead there whatever becomes of the path by which it was found. */
export interface OpenDirectory {
  /** Undefined where there are no accounts, and so nothing to hold. */
  fd: number | undefined;
  /** The path of a name in it, for this process. */
  pathOf(name: string): string;
  close(): void;
}

/**
 * Opens a directory that may lie in folders of other accounts: a link is followed only where root placed it, so nobody can
 * lead root elsewhere. Throws `refused` at any other.
 */
export function openUnlinkedDirectory(path: string): OpenDirectory {
  // Without accounts there is nobody who could place a link (and without Linux no /proc).
  if (!HAS_ACCOUNTS || process.platform !== 'linux')
    return { fd: undefined, pathOf: (name) => join(path, name), close: () => undefined };
  const fd = openStepwise(path);
  return { fd, pathOf: (name) => `/proc/self/fd/${fd}/${name}`, close: () => closeSync(fd) };
}

function openStepwise(path: string): number {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const { trusted, rest } = splitTrusted(path);
  let fd = openSync(trusted, flags);
  for (const name of rest) {
    const parent = fd;
    try {
      fd = openSync(`/proc/self/fd/${parent}/${name}`, flags | constants.O_NOFOLLOW);
    } catch (cause) {
      throw isLinkError(cause) ? foreignLink(path, name, cause) : cause;
    } finally {
      closeSync(parent);
    }
  }
  return fd;
}

/** Linux says ENOTDIR for a link where a directory was asked for, ELOOP where anything was. */
function isLinkError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ELOOP' || error.code === 'ENOTDIR');
}

function foreignLink(path: string, name: string, cause: unknown): LamplighterError {
  return new LamplighterError(
    'refused',
    `open directory ${path}: "${name}" is no directory, or a link that is not root's`,
    {
      cause,
      hint: 'Root follows no link that another account can make. Name the real directory in the policy.',
    },
  );
}

/** The longest beginning of a path that can be trusted, and the names below it. */
function splitTrusted(path: string): { trusted: string; rest: string[] } {
  let trusted = '/';
  const names = namesIn(path);
  for (const [i, name] of names.entries()) {
    const next = join(trusted, name);
    if (!look(next) || findPathFault(next) !== undefined) return { trusted, rest: names.slice(i) };
    trusted = next;
  }
  return { trusted, rest: [] };
}
