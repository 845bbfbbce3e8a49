// What the runner and its unprivileged child say to each other: argument lists in, one line of JSON out.
import * as z from 'zod';

/** What went through. */
export const StreamResult = z.strictObject({
  bytes: z.int().nonnegative(),
  sha256: z.string(),
  crc32c: z.string(),
});
export type StreamResult = z.infer<typeof StreamResult>;

/** File descriptor of the result line (fetch). */
export const RESULT_FD = 3;
/** Exit code when the bucket has no such object (fetch). */
export const EXIT_NOT_FOUND = 4;
