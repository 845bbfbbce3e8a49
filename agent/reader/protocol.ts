// What goes over the reader's socket. In: one line with the signed command, as the runner gets it. Out: lines of JSON.
import * as z from 'zod';
import { LogLine } from '#shared/operations/logs.ts';

export const ReaderFrame = z.discriminatedUnion('type', [
  /** The command does not hold, or what must be hidden can't be read: no line comes. */
  z.strictObject({ type: z.literal('refused'), detail: z.string(), hint: z.string().optional() }),
  z.strictObject({ type: z.literal('line'), line: LogLine }),
  /** All lines were given; `isCut`: older ones were left out. `searched`: a search ended after so many entries. */
  z.strictObject({ type: z.literal('end'), isCut: z.boolean(), searched: z.int().optional() }),
  /** The reading failed before its end. */
  z.strictObject({ type: z.literal('failed'), detail: z.string() }),
]);
export type ReaderFrame = z.infer<typeof ReaderFrame>;

/** Longest frame in bytes: a line's characters may take six each in JSON. */
export const MAX_READER_FRAME_BYTES = 256 * 1024;

/** Longest message of a log that is read; a log that is followed has the relay's limit. */
export const MAX_MESSAGE_LENGTH = 16_000;

/** All lines of one reading together, in characters of their JSON: a report must fit a Pub/Sub message with room to spare. */
export const MAX_READ_LENGTH = 4 * 1024 * 1024;
