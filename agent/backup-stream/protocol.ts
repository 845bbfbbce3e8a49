// What the runner and its unprivileged child say to each other: argument lists in, one line of JSON out.
import { z } from 'zod';

/** What went through: the stored bytes, and the content before compression (the same where there is none). */
export const StreamResult = z.strictObject({
  bytes: z.int().nonnegative(),
  sha256: z.string(),
  crc32c: z.string(),
  contentBytes: z.int().nonnegative(),
  contentSha256: z.string(),
});
export type StreamResult = z.infer<typeof StreamResult>;

/** File descriptor of the local copy (store). */
export const LOCAL_FD = 3;
/** File descriptor of the result line. */
export const RESULT_FD = 4;
/** File descriptor on which the runner says that what it sent is whole (store). Whatever ends without is not stored. */
export const APPROVAL_FD = 5;
export const APPROVAL = 'whole\n';
/** Exit code when the bucket has no such object (fetch). */
export const EXIT_NOT_FOUND = 4;
