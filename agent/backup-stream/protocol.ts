// The protocol between the runner and its unprivileged child: argument lists in, one line of JSON out.
import * as z from 'zod';

/** What went through. */
export const StreamResult = z.strictObject({
  bytes: z.int().nonnegative(),
  sha256: z.string(),
  crc32c: z.string(),
});
export type StreamResult = z.infer<typeof StreamResult>;

/** A finished file, as root knows it. */
export const FileToUpload = z.strictObject({
  object: z.string(),
  bytes: z.int().nonnegative(),
  crc32c: z.string(),
});
export type FileToUpload = z.infer<typeof FileToUpload>;

/** File descriptor of the first file (upload); each further file has the next. */
export const FIRST_FILE_FD = 4;
/** File descriptor of the result line (fetch). */
export const RESULT_FD = 3;
/** Exit code when the bucket has no such object (fetch). */
export const EXIT_NOT_FOUND = 4;
