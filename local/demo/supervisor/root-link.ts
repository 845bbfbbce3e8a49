// A short path to a host's root, for Unix sockets: their paths have at most 104 characters on macOS and 108 on Linux
// (sun_path), and the home's own path may be longer.
import { createHash } from 'node:crypto';
import { lstatSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';

const PARENT = '/tmp';

export interface RootLink {
  /** The root by its short path, the same in every run. */
  root: string;
  remove(): void;
}

/** Links the directory from /tmp. Throws `refused` when another user's file has the name: everybody may write in /tmp. */
export function linkRoot(directory: string): RootLink {
  const uid = process.getuid?.() ?? 0;
  const tag = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  const root = join(PARENT, `lamplighter-${uid}-${tag}`);
  const remove = (): void => rmSync(root, { force: true });
  const there = lstatSync(root, { throwIfNoEntry: false });
  if (there && !(there.isSymbolicLink() && there.uid === uid)) {
    throw new LamplighterError('refused', `link ${root} to ${directory}: another user's file has that name`, {
      hint: 'Look at the file and remove it, or choose another directory with --home.',
    });
  }
  if (there && readlinkSync(root) === directory) return { root, remove };
  remove();
  symlinkSync(directory, root);
  return { root, remove };
}
