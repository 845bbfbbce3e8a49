// What the HTTP API says of runbooks.
import * as z from 'zod';
import { Timestamp } from '../names.ts';

export const RunbookVersionView = z.lazy(() =>
  z.object({
    version: z.int(),
    appliedAt: Timestamp,
    appliedBy: z.string(),
    text: z.string(),
  }),
);
export type RunbookVersionView = z.infer<typeof RunbookVersionView>;

/** Something that is wrong in a runbook, or most likely not meant. */
export const RunbookErrorView = z.lazy(() =>
  z.object({
    line: z.int(),
    column: z.int(),
    path: z.string(),
    message: z.string(),
    hint: z.string().exactOptional(),
  }),
);
export type RunbookErrorView = z.infer<typeof RunbookErrorView>;

/** Of a runbook that is valid and was only checked. */
export const RunbookFindings = z.lazy(() =>
  z.object({ valid: z.literal(true), warnings: z.array(RunbookErrorView) }),
);
export type RunbookFindings = z.infer<typeof RunbookFindings>;
