// The protocol between the runner and the process that decodes a dump.
import * as z from 'zod';

/** What the whole dump holds. */
export const UnpackResult = z.strictObject({
  contentBytes: z.int().nonnegative(),
  /** Rows of each entry of the dump that has some, by its id. */
  rowsByEntry: z.array(z.tuple([z.int(), z.int().nonnegative()])),
});
export type UnpackResult = z.infer<typeof UnpackResult>;

/** File descriptor of the stored dump, open for reading only. */
export const SOURCE_FD = 3;
/** File descriptor on which the process says that it is ready, and later writes the result. */
export const RESULT_FD = 4;
