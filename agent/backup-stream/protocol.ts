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
