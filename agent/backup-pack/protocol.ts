// The protocol between the runner and the process that packs a dump: argument lists in, one line of JSON out.
import * as z from 'zod';
import { Crc32c, Sha256, TableCount } from '#shared/backup/manifest.ts';

/** What was stored, what it holds, and the rows of each table, all from the one pass of the dump. */
export const PackResult = z.strictObject({
  bytes: z.int().positive(),
  sha256: Sha256,
  crc32c: Crc32c,
  contentBytes: z.int().positive(),
  contentSha256: Sha256,
  /** Of the compressed dump that was encrypted, when it was. */
  plain: z.strictObject({ bytes: z.int().positive(), sha256: Sha256 }).optional(),
  tables: z.array(TableCount),
});
export type PackResult = z.infer<typeof PackResult>;

/** File descriptor of the local file. */
export const LOCAL_FD = 3;
/** File descriptor on which the process says that it is ready, and later writes the result. */
export const RESULT_FD = 4;
/** Written when everything is loaded: from then on the process opens nothing, and can't. */
export const READY = 'ready\n';
/** Exit code when the file would grow beyond its limit. */
export const EXIT_NO_ROOM = 5;
