// disk.*: what fills the host's disks, and removing what is old.

import * as z from 'zod';
import { lookUp } from '../look-up.ts';
import { AbsolutePath, EntryName, Timestamp } from '../names.ts';
import type { Policy } from '../policy/policy.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict } from './definition.ts';
import { HostParameter, hostInParams, nameHost } from './host.ts';

/** The largest files and folders of each place. */
export const MAX_LARGEST = 20;
/** At most this many files are removed by one command, the oldest first. */
export const MAX_REMOVED = 1000;

/** True when `path` is `folder` or lies below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

const DiskPlace = z.lazy(() =>
  z.strictObject({
    path: z.string(),
    /** Of the file system on which it lies; all null when it can't be read. */
    totalBytes: z.int().nullable(),
    freeBytes: z.int().nullable(),
    totalInodes: z.int().nullable(),
    freeInodes: z.int().nullable(),
    /** Of all that was seen below it on the same file system. */
    usedBytes: z.int().nullable(),
    /** The time was up before all of it was seen. */
    isPartial: z.boolean(),
    largest: z.array(
      z.strictObject({ path: z.string(), kind: z.enum(['file', 'folder', 'other']), bytes: z.int() }),
    ),
    /** Why nothing is told of it. */
    fault: z.string().optional(),
  }),
);
export type DiskPlace = z.infer<typeof DiskPlace>;

export const diskUsage = defineOperation({
  name: 'disk.usage',
  summary: "Show how full the host's disks are, and the largest files and folders",
  risk: 'read',
  needsRoot: true,
  params: z.strictObject({
    path: AbsolutePath.optional().describe("a folder, by default all that the host's policy names"),
    host: HostParameter,
  }),
  spec: z.lazy(() => z.strictObject({ path: AbsolutePath.optional() })),
  result: z.lazy(() => z.strictObject({ places: z.array(DiskPlace) })),
  timeoutMs: 60_000,
  canonical: hostInParams,
  resolve: ({ path, host }, context) => ({
    host: nameHost(host, context),
    spec: path === undefined ? {} : { path },
  }),
  permit: ({ path }, { disk }) => {
    if (path === undefined) {
      if (disk.look.length > 0) return ALLOWED;
      return forbid(
        'not-in-policy',
        "the host's policy names no folder to look at",
        '"look: [/a/folder]" under "disk:"',
      );
    }
    if (disk.look.some((folder) => isWithin(path, folder))) return ALLOWED;
    return forbid(
      'not-in-policy',
      `the host's policy does not allow a look at ${path}`,
      `${path} to "look:" under "disk:"`,
    );
  },
});

/** Lamplighter's own backups go by their own retention, which knows the last good one. */
function permitFolder(folder: string, { backup }: Policy): PolicyVerdict {
  if (!backup || !(isWithin(folder, backup.localDir) || isWithin(backup.localDir, folder))) return ALLOWED;
  return forbid(
    'not-in-policy',
    `Lamplighter's own backups are in ${folder}, and only their own retention removes them`,
    'another folder',
  );
}

const FileName = z.string();

export const diskClean = defineOperation({
  name: 'disk.clean',
  summary: 'Remove old files of a kind that the policy names; what is removed does not come back',
  // Not `destructive`, although nothing undoes it: the host's policy fixes folder, names and age of what may go.
  risk: 'disruptive',
  params: z.strictObject({
    what: EntryName.describe('which files: a name under "clean:" in the policy of the host, such as logs'),
    host: HostParameter,
  }),
  spec: z.lazy(() => z.strictObject({ what: EntryName })),
  result: z.lazy(() =>
    z.strictObject({
      folder: z.string(),
      freedBytes: z.int().nonnegative(),
      /** Of the file system, afterwards. */
      freeBytes: z.int().nonnegative(),
      removed: z.array(z.strictObject({ name: FileName, bytes: z.int(), changedAt: Timestamp })),
      /** Old enough and of the right name, and still there. */
      left: z.array(z.strictObject({ name: FileName, why: z.string() })),
      /** Further files that could go with another command. */
      more: z.int().nonnegative(),
    }),
  ),
  timeoutMs: 10 * 60_000,
  canonical: hostInParams,
  resolve: ({ what, host }, context) => ({ host: nameHost(host, context), spec: { what } }),
  locks: ({ what }) => [`clean:${what}`],
  permit: ({ what }, policy) => {
    const { clean } = policy.disk;
    const entry = lookUp(clean, what);
    if (entry) return permitFolder(entry.folder, policy);
    const names = Object.keys(clean);
    const known = names.length === 0 ? '' : ` (it has ${names.join(', ')})`;
    return forbid(
      'not-in-policy',
      `the host's policy has no clean-up ${what}${known}`,
      `"${what}: {folder: /a/folder, names: ['*.log']}" to "clean:" under "disk:"`,
    );
  },
});
