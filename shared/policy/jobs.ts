// Tables of jobs, in which a row can be stuck.
import * as z from 'zod';
import { DatabaseName } from '../names.ts';

/** A name of PostgreSQL's as it is, without quotes. */
const Identifier = DatabaseName;
const SchemaName = Identifier.refine(
  (name) => !/^pg_|^information_schema$/.test(name),
  "a table of jobs is no table of PostgreSQL's own",
);
/** It stands in a statement: letters, digits and a few signs. */
const StatusWord = z
  .string()
  .regex(/^[\p{L}\p{N}_ .:/+-]{1,63}$/u, 'a status has letters, digits, spaces and any of _ . : / + -');

export const JobTable = z.lazy(() =>
  z
    .strictObject({
      /** One of `databases:`. */
      database: DatabaseName,
      schema: SchemaName.default('public'),
      table: Identifier,
      /** The column that tells rows apart: a primary key, or unique. */
      key: Identifier.default('id'),
      status: Identifier.default('status'),
      /** When the job began, or was made: a time or a date. */
      since: Identifier.default('created_at'),
      stuckStatus: StatusWord,
      resetTo: StatusWord,
      stuckAfterMin: z.int().min(1).max(525_600).default(60),
      resetAfterMin: z.int().min(1).max(525_600).default(120),
      /** The role whose rights it takes, where triggers or row security want more than the columns: the application's own. */
      role: Identifier.optional(),
    })
    .refine(({ stuckStatus, resetTo }) => stuckStatus !== resetTo, {
      message: 'resetTo is another status than stuckStatus',
      path: ['resetTo'],
    }),
);
export type JobTable = z.infer<typeof JobTable>;
