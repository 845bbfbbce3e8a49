// What a dump of a database does not hold: the properties that only `pg_dump --create` writes. They are read from the
// catalogue when the backup is made, so that a restore never takes them from whatever database happens to be there.
import * as z from 'zod';

const Grant = z.lazy(() =>
  z.strictObject({
    /** Null: PUBLIC. */
    grantee: z.string().nullable(),
    grantor: z.string(),
    /** `CONNECT`, `CREATE`, `TEMPORARY`. */
    privilege: z.string(),
    isGrantable: z.boolean(),
  }),
);

const Setting = z.lazy(() =>
  z.strictObject({
    /** The role that the setting holds for in this database; null: every role. */
    role: z.string().nullable(),
    name: z.string(),
    /** As the catalogue stores it: the names of a list setting are quoted already, or not, as a session held them. */
    value: z.string(),
  }),
);

/** A database's properties, in the words of PostgreSQL's catalogue. */
export const DatabaseProperties = z.lazy(() =>
  z.strictObject({
    owner: z.string(),
    /** As `pg_encoding_to_char` names it, for example `UTF8`, `LATIN1`, `SQL_ASCII`. */
    encoding: z.string(),
    collate: z.string(),
    ctype: z.string(),
    /** `c` libc, `i` ICU, `b` built in (PostgreSQL 17). */
    localeProvider: z.enum(['c', 'i', 'b']),
    /** Locale of ICU or of the built-in provider. */
    locale: z.string().nullable(),
    icuRules: z.string().nullable(),
    tablespace: z.string(),
    /** -1: unlimited. */
    connectionLimit: z.int(),
    isTemplate: z.boolean(),
    comment: z.string().nullable(),
    /** Null: what PostgreSQL grants by itself. An empty list: everything has been revoked, also from PUBLIC. */
    grants: z.array(Grant).nullable(),
    settings: z.array(Setting),
    securityLabels: z.array(z.strictObject({ provider: z.string(), label: z.string() })),
  }),
);
export type DatabaseProperties = z.infer<typeof DatabaseProperties>;
