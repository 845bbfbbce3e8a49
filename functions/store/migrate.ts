// Applies the numbered SQL files beside this, each once and in order, all in one transaction.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { type Database, type Queryable, queryRows } from './database.ts';

interface Migration {
  name: string;
  sql: string;
  digest: string;
}

/** Any number, the same in every process that migrates. */
const LOCK_KEY = 7_261_946;
const MIGRATION_FILE = /^\d{3}-[a-z0-9-]+\.sql$/;

async function readMigrations(dir: string): Promise<Migration[]> {
  const names = (await readdir(dir)).filter((name) => MIGRATION_FILE.test(name)).toSorted();
  return await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(dir, name), 'utf8');
      return { name, sql, digest: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

const Applied = z.lazy(() => z.object({ name: z.string(), digest: z.string() }));

async function appliedMigrations(tx: Queryable): Promise<Map<string, string>> {
  await tx.query(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
       name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
  const rows = await queryRows(tx, Applied, 'SELECT name, digest FROM schema_migrations');
  return new Map(rows.map(({ name, digest }) => [name, digest]));
}

async function apply(tx: Queryable, { name, sql, digest }: Migration): Promise<void> {
  try {
    await tx.query(sql);
  } catch (error) {
    throw new LamplighterError('failed', `apply migration ${name}: ${messageOf(error)}`, { cause: error });
  }
  await tx.query('INSERT INTO schema_migrations (name, digest) VALUES ($1, $2)', [name, digest]);
}

/**
 * Brings the schema up to date and returns the names of what was applied. Safe to run from several processes at once:
 * an advisory lock lets one at a time. Throws `conflict` when a file was changed after it had been applied.
 */
export async function migrate(
  db: Database,
  dir = join(import.meta.dirname, 'migrations'),
): Promise<string[]> {
  const migrations = await readMigrations(dir);
  return await db.transaction(async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
    const applied = await appliedMigrations(tx);
    const missing: string[] = [];
    for (const migration of migrations) {
      const digest = applied.get(migration.name);
      if (digest !== undefined && digest !== migration.digest) {
        throw new LamplighterError(
          'conflict',
          `apply migration ${migration.name}: it was changed after it had been applied`,
          { hint: 'Put the file back as it was and add a new migration.' },
        );
      }
      if (digest !== undefined) continue;
      await apply(tx, migration);
      missing.push(migration.name);
    }
    return missing;
  });
}
