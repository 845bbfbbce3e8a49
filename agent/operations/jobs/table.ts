// A table of jobs as PostgreSQL's catalogue has it: what the policy names must be there, and be what it seems.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import type { JobTable } from '#shared/policy/jobs.ts';
import { type Cluster, quoteName, quoteText, runSql } from '../../host/postgres.ts';

const Facts = z.strictObject({
  /** pg_class.relkind. */
  kind: z.string(),
  hasRules: z.boolean(),
  hasRowSecurity: z.boolean(),
  columns: z.array(z.string()),
  isTime: z.boolean(),
  isKeyUnique: z.boolean(),
});
type Facts = z.infer<typeof Facts>;

const TIMEOUT_MS = 30_000;
const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
};

/** The table's name for SQL. */
export function quoteTable({ schema, table }: JobTable): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}

function readFacts({ schema, table, key, status, since }: JobTable): string {
  const attribute = (name: string): string =>
    `(SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attname = ${quoteText(name)} AND attnum > 0 AND NOT attisdropped)`;
  return `SELECT pg_catalog.json_build_object(
    'kind', c.relkind,
    'hasRules', EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid),
    'hasRowSecurity', c.relrowsecurity,
    'columns', coalesce((SELECT pg_catalog.json_agg(attname) FROM pg_catalog.pg_attribute WHERE attrelid = c.oid
      AND attname IN (${[key, status, since].map(quoteText).join(', ')}) AND attnum > 0 AND NOT attisdropped), '[]'),
    'isTime', EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attname = ${quoteText(since)}
      AND atttypid IN ('pg_catalog.timestamptz'::pg_catalog.regtype, 'pg_catalog.timestamp'::pg_catalog.regtype, 'pg_catalog.date'::pg_catalog.regtype)),
    'isKeyUnique', EXISTS (SELECT FROM pg_catalog.pg_index WHERE indrelid = c.oid AND indisunique AND indisvalid
      AND indpred IS NULL AND indnkeyatts = 1 AND indkey[0] = ${attribute(key)}))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ${quoteText(schema)} AND c.relname = ${quoteText(table)};`;
}

function faultOf(facts: Facts, { key, status, since, role }: JobTable): string | undefined {
  const { kind, hasRules, hasRowSecurity, columns, isTime, isKeyUnique } = facts;
  if (kind !== 'r' && kind !== 'p') return `it is ${KINDS[kind] ?? 'no table'}, not a table`;
  if (hasRules) return 'it has rules, which may do anything in the place of a change';
  const missing = [key, status, since].find((column) => !columns.includes(column));
  if (missing !== undefined) return `it has no column ${missing}`;
  if (!isTime) return `its column ${since} holds no time`;
  if (!isKeyUnique) return `nothing makes its column ${key} unique, so its rows can't be told apart`;
  if (hasRowSecurity && role === undefined)
    return 'it has row security, and the policy names no role whose rows are meant';
  return undefined;
}

/** Reads the catalogue alone. Throws `refused` when the table is not what the policy says. */
export async function checkTable(cluster: Cluster, entry: JobTable): Promise<void> {
  const { database, schema, table } = entry;
  const lines = await runSql(readFacts(entry), { cluster, database, timeoutMs: TIMEOUT_MS });
  const text = lines.join('\n');
  const fault = text === '' ? 'there is no such table' : faultOf(Facts.parse(JSON.parse(text)), entry);
  if (fault === undefined) return;
  throw new LamplighterError('refused', `use ${schema}.${table} of database ${database}: ${fault}`, {
    hint: 'Root of the host can mend its entry under "jobs:" in /etc/lamplighter/policy.yaml.',
  });
}
