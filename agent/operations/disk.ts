// disk.usage and disk.clean: what fills the disks, and removing what the policy lets go.

import { LamplighterError } from '#shared/errors.ts';
import { askRoom } from '#shared/kit/disk-room.ts';
import { lookUp } from '#shared/look-up.ts';
import { diskClean, diskUsage } from '#shared/operations/disk.ts';
import type { CleanUp } from '#shared/policy/disk.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { readUsage } from '../host/disk-usage.ts';
import { defineStep } from '../runner/step.ts';
import { listOld, OldFiles, removeOld } from './disk/old-files.ts';
import { defineProcedure, defineRootRead } from './twin.ts';

/** A person waits for it. */
const USAGE_MS = 20_000;

function cleanUpOf({ disk }: Policy, what: string): CleanUp {
  const entry = lookUp(disk.clean, what);
  if (entry) return entry;
  throw new LamplighterError('refused', `clean up ${what}: the host's policy has no such clean-up`);
}

export const twins = [
  defineRootRead(diskUsage, async ({ path }, { policy, signal }) => {
    const folders = path === undefined ? policy.disk.look : [path];
    const timeUp = AbortSignal.any([signal, AbortSignal.timeout(USAGE_MS)]);
    return { places: await Promise.all(folders.map((folder) => readUsage(folder, timeUp))) };
  }),
  defineProcedure(diskClean, ({ what }, { policy }) => {
    const entry = cleanUpOf(policy, what);
    const { folder, names, olderThanDays, keepNewest } = entry;
    const protectedDir = policy.backup?.localDir;
    const list = () => listOld(entry, protectedDir, Date.now());
    const find = defineStep({
      name: 'find',
      describe: () =>
        `find files in ${folder} named ${names.join(', ')} and unchanged for ${olderThanDays} days, but for the newest ${keepNewest}`,
      output: OldFiles,
      run: () => Promise.resolve({ data: list() }),
      afterCrash: 'repeat',
    });
    const remove = defineStep({
      name: 'remove',
      describe: () => 'remove those of them that are still the same, and that no process has open',
      foresee: () =>
        Promise.resolve(
          list().files.map(({ name, bytes, changedAt }) => `${name}, ${bytes} bytes, of ${changedAt}`),
        ),
      output: diskClean.result,
      run: async ({ outputOf }) => {
        const { removed, left } = removeOld(folder, outputOf(find).files);
        const { freeBytes } = await askRoom(folder);
        const freedBytes = removed.reduce((sum, { bytes }) => sum + bytes, 0);
        const { more, left: leftBefore } = outputOf(find);
        return {
          data: { folder, freedBytes, freeBytes, removed, left: [...leftBefore, ...left], more },
          detail: `${removed.length} files removed`,
        };
      },
      // A file that is gone is not removed twice; what has its name now has another identity.
      afterCrash: 'repeat',
    });
    return { steps: [find, remove], result: ({ outputOf }) => outputOf(remove) };
  }),
];
