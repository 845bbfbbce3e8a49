// A short path to a host's root: the path of a Unix socket may have 104 characters at most (sun_path on macOS; 108 on
// Linux), and a home lies as deep as it lies.
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

/** Links the directory from /tmp. Throws `refused` when somebody else took the name: /tmp is everybody's. */
export function linkRoot(directory: string): RootLink {
  const uid = process.getuid?.() ?? 0;
  const tag = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  const root = join(PARENT, `lamplighter-${uid}-${tag}`);
  const remove = (): void => rmSync(root, { force: true });
  const there = lstatSync(root, { throwIfNoEntry: false });
  if (there && !(there.isSymbolicLink() && there.uid === uid)) {
    throw new LamplighterError('refused', `link ${root} to ${directory}: it is there and not ours`, {
      hint: `See what it is and remove it, or choose another --home.`,
    });
  }
  if (there && readlinkSync(root) === directory) return { root, remove };
  remove();
  symlinkSync(directory, root);
  return { root, remove };
}
