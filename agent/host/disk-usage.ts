// What fills a folder: du(1) on one file system, for a limited time.
import { lstatSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { messageOf } from '#shared/errors.ts';
import { type DiskPlace, MAX_LARGEST } from '#shared/operations/disk.ts';
import { awaitEnd, killOnAbort } from './joined.ts';
import { startProgram } from './process.ts';
import { type OpenDirectory, openUnlinkedDirectory } from './trusted-path.ts';

const DU = '/usr/bin/du';
/** Where du finds the directory that it inherits. */
const INHERITED = '/proc/self/fd/3';

interface Entry {
  path: string;
  bytes: number;
}

/** The largest entries of those that come one by one. */
function createRanking(size: number): { add(entry: Entry): void; all(): Entry[] } {
  let kept: Entry[] = [];
  const shrink = (): void => {
    kept = kept.toSorted((a, b) => b.bytes - a.bytes || a.path.localeCompare(b.path)).slice(0, size);
  };
  return {
    add: (entry) => {
      kept.push(entry);
      if (kept.length > 64 * size) shrink();
    },
    all: () => {
      shrink();
      return kept;
    },
  };
}

/** A line of du's as an entry; undefined for what is none. */
export function parseUsage(text: string): Entry | undefined {
  const [, bytes, path] = /^(\d+)\t([^\0]+)$/.exec(text) ?? [];
  return path === undefined ? undefined : { path, bytes: Number(bytes) };
}

/** Longer paths are none of the kernel's. */
const MAX_LINE = 1024 * 1024;

async function measure(
  directory: OpenDirectory,
  path: string,
  signal: AbortSignal,
): Promise<Pick<DiskPlace, 'usedBytes' | 'isPartial'> & { largest: Entry[] }> {
  const start = directory.fd === undefined ? path : INHERITED;
  const child = startProgram(
    // Of the link, du would tell its own size; with a slash it is the directory.
    { file: DU, args: ['-x', '-a', '-B1', '--null', '--', `${start}/`] },
    ['ignore', 'pipe', 'pipe', ...(directory.fd === undefined ? [] : [directory.fd])],
  );
  killOnAbort(child, signal);
  const ended = awaitEnd('du', child);
  const ranking = createRanking(MAX_LARGEST);
  let used: number | undefined;
  let rest = '';
  const take = (text: string): void => {
    const entry = parseUsage(text);
    if (!entry) return;
    const below = entry.path.slice(start.length).replace(/^\/+/, '');
    // The folder itself comes last.
    if (below === '') used = entry.bytes;
    else if (entry.bytes > 0) ranking.add({ path: `${path}/${below}`, bytes: entry.bytes });
  };
  child.stdout?.setEncoding('utf8');
  for await (const chunk of child.stdout ?? []) {
    const parts = `${rest}${String(chunk)}`.split('\0');
    rest = (parts.pop() ?? '').slice(-MAX_LINE);
    for (const part of parts) take(part);
  }
  const { said } = await ended;
  // Files that vanish meanwhile make du complain, and its sums are good all the same.
  if (used === undefined && !signal.aborted) throw new Error(said === '' ? 'du told nothing' : said);
  return { usedBytes: used ?? null, isPartial: used === undefined, largest: ranking.all() };
}

function kindOf(path: string): 'file' | 'folder' | 'other' {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return 'file';
  return stat?.isDirectory() ? 'folder' : 'other';
}

const UNREADABLE = {
  totalBytes: null,
  freeBytes: null,
  totalInodes: null,
  freeInodes: null,
  usedBytes: null,
  isPartial: false,
  largest: [],
};

/** What fills a folder, as far as it is seen before the signal. A folder that can't be read says why. */
export async function readUsage(path: string, signal: AbortSignal): Promise<DiskPlace> {
  try {
    const directory = openUnlinkedDirectory(path);
    try {
      const at = directory.fd === undefined ? path : directory.pathOf('.');
      const { bsize, blocks, bavail, files, ffree } = await statfs(at);
      const { largest, ...seen } = await measure(directory, path, signal);
      return {
        path,
        totalBytes: bsize * blocks,
        freeBytes: bsize * bavail,
        totalInodes: files,
        freeInodes: ffree,
        ...seen,
        largest: largest.map((entry) => ({ ...entry, kind: kindOf(entry.path) })),
      };
    } finally {
      directory.close();
    }
  } catch (error) {
    return { path, ...UNREADABLE, fault: messageOf(error) };
  }
}
