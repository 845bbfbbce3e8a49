// What the runner and its unprivileged child say to each other: argument lists in, one line of JSON out.
import { z } from 'zod';

/** What went through: the stored bytes, and the content before compression (the same where there is none). */
export const StreamResult = z.strictObject({
  bytes: z.int().nonnegative(),
  sha256: z.string(),
  crc32c: z.string(),
  contentBytes: z.int().nonnegative(),
  contentSha256: z.string(),
  /** Rows of each entry of the dump that has some, by its id (decode). */
  rowsByEntry: z.array(z.tuple([z.int(), z.int().nonnegative()])).optional(),
});
export type StreamResult = z.infer<typeof StreamResult>;

/** File descriptor of the result line (fetch, decode). */
export const RESULT_FD = 3;
/** Exit code when the bucket has no such object (fetch). */
export const EXIT_NOT_FOUND = 4;
