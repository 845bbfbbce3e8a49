// What may be looked at and cleaned up on the host's disks.
import * as z from 'zod';
import { AbsolutePath, EntryName } from '../names.ts';

/** A pattern of file names: `*` is any number of characters, `?` one. It has no path, so it can't lead out of its folder. */
export const NamePattern = z
  .string()
  .max(255)
  .regex(/^[^/\0]+$/, 'a pattern is of file names, such as *.log, and has no path')
  .refine((pattern) => /[^*?.]/.test(pattern), 'a pattern has at least one letter or digit, such as *.log');

/** True when the whole name matches. The time it takes grows with the product of both lengths, not faster. */
export function matchesPattern(name: string, pattern: string): boolean {
  const [letters, signs] = [Array.from(name), Array.from(pattern)];
  let [at, from, star, retry] = [0, 0, -1, 0];
  while (at < letters.length) {
    const sign = signs[from];
    if (sign === '*') {
      [star, retry] = [from, at];
      from += 1;
    } else if (sign === '?' || sign === letters[at]) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      // The last `*` takes one character more.
      retry += 1;
      [at, from] = [retry, star + 1];
    } else return false;
  }
  return signs.slice(from).every((sign) => sign === '*');
}

const CleanUp = z.lazy(() =>
  z.strictObject({
    /** Files directly in it; folders in it stay as they are. */
    folder: AbsolutePath,
    /** A file goes when its name matches one of them. */
    names: z.array(NamePattern).min(1).max(50),
    olderThanDays: z.int().min(1).max(3650).default(7),
    /** So many of the newest files that match stay, however old they are. */
    keepNewest: z.int().min(0).max(1000).default(1),
  }),
);
export type CleanUp = z.infer<typeof CleanUp>;

export const HostDisk = z.lazy(() =>
  z.strictObject({
    /** Folders whose largest files may be told, with all that is below them. */
    look: z.array(AbsolutePath).max(20).default([]),
    /** What `disk.clean` may remove, by a name of its own. */
    clean: z.record(EntryName, CleanUp).default({}),
  }),
);
