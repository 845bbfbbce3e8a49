// The database's part of a restore: a new database beside the old one, filled, checked, and swapped by rename.
import { closeSync, openSync } from 'node:fs';
import { z } from 'zod';
import { type BackupManifest, TableCount } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { awaitEnd, mustEndWell, startBackupChild } from '../host/backup-child.ts';
import {
  type Cluster,
  COUNT_ROWS,
  clusterArguments,
  postgresAccount,
  postgresProgram,
  quoteName,
  quoteText,
  runSql,
} from '../host/postgres.ts';
import { startProgram } from '../host/process.ts';

const HOURS_MS = 3_600_000;

/** Names of one restore: the database that is filled, and under which the old one is kept. */
export interface RestoreNames {
  database: string;
  fresh: string;
  kept: string;
}

/** Names from the command's id, so that they are the same after a crash. */
export function restoreNames(database: string, commandId: string): RestoreNames {
  const tag = commandId.slice(-6);
  const base = database.slice(0, 40);
  return { database, fresh: `${base}_restore_${tag}`, kept: `${base}_before_${tag}` };
}

/** Which of these databases exist. */
export async function existingDatabases(cluster: Cluster): Promise<string[]> {
  return await runSql('SELECT datname FROM pg_database;', { cluster, database: 'postgres' });
}

const Traits = z.object({ owner: z.string(), encoding: z.string(), collate: z.string(), ctype: z.string() });

/** Makes the new database as the old one is: owner, encoding, locale. */
export async function createFreshDatabase(
  cluster: Cluster,
  { database, fresh }: RestoreNames,
): Promise<void> {
  const [row = '{}'] = await runSql(
    `SELECT json_build_object('owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype)
      FROM pg_database WHERE datname = ${quoteText(database)};`,
    { cluster, database: 'postgres' },
  );
  const { owner, encoding, collate, ctype } = Traits.parse(JSON.parse(row));
  await dropFreshDatabase(cluster, fresh);
  await runSql(
    `CREATE DATABASE ${quoteName(fresh)} OWNER ${quoteName(owner)} TEMPLATE template0 ENCODING ${quoteText(encoding)} LC_COLLATE ${quoteText(collate)} LC_CTYPE ${quoteText(ctype)};`,
    { cluster, database: 'postgres' },
  );
}

/** Drops the new database if it is there. */
export async function dropFreshDatabase(cluster: Cluster, fresh: string): Promise<void> {
  await runSql(`DROP DATABASE IF EXISTS ${quoteName(fresh)} WITH (FORCE);`, {
    cluster,
    database: 'postgres',
  });
}

/** Fills a database from a compressed dump: decoded by the child, fed to pg_restore by a kernel pipe; the first error ends it. */
export async function fillDatabase(
  cluster: Cluster,
  fresh: string,
  dumpFile: string,
  signal: AbortSignal,
): Promise<void> {
  const source = openSync(dumpFile, 'r');
  try {
    const args = [
      '--exit-on-error',
      '--no-password',
      ...clusterArguments(cluster).slice(0, 4),
      `--dbname=${fresh}`,
    ];
    const restore = startProgram(
      { file: postgresProgram('pg_restore'), args, account: await postgresAccount() },
      ['pipe', 'ignore', 'pipe'],
    );
    signal.addEventListener('abort', () => restore.kill('SIGKILL'), { once: true });
    const ended = awaitEnd(restore);
    const sink = restore.stdin;
    if (!sink) throw new LamplighterError('internal', 'restore: pg_restore has no stdin');
    const child = await startBackupChild(['decode'], { stdin: source, stdout: sink }, signal);
    sink.destroy();
    await Promise.all([mustEndWell('pg_restore', ended), child.result()]);
  } finally {
    closeSync(source);
  }
}

/** Holds the filled database's row counts against the manifest. Throws `corrupt` with the first tables that differ. */
export async function checkRows(cluster: Cluster, fresh: string, manifest: BackupManifest): Promise<number> {
  const options = { cluster, database: fresh, timeoutMs: HOURS_MS };
  const statements = await runSql(`${COUNT_ROWS};`, options);
  const counted = statements.length === 0 ? [] : await runSql(statements.join('\n'), options);
  const found = new Map(
    counted.map((line) => TableCount.parse(JSON.parse(line))).map((t) => [`${t.schema}.${t.table}`, t.rows]),
  );
  const wrong = manifest.tables.filter(({ schema, table, rows }) => found.get(`${schema}.${table}`) !== rows);
  if (wrong.length > 0) {
    const list = wrong
      .slice(0, 5)
      .map(
        ({ schema, table, rows }) =>
          `${schema}.${table}: ${found.get(`${schema}.${table}`) ?? 'missing'}, expected ${rows}`,
      );
    throw new LamplighterError('corrupt', `check ${fresh}: ${list.join('; ')}`, {
      details: { outcome: 'corrupt-backup' },
    });
  }
  await runSql('ANALYZE;', options);
  return [...found.values()].reduce((sum, rows) => sum + rows, 0);
}

async function renameAside(
  cluster: Cluster,
  from: string,
  to: string,
  into: string,
  options: { allow: boolean },
): Promise<void> {
  // Strangers are kept out and sent away first: a rename needs a database without sessions. Both renames are one transaction.
  await runSql(
    `ALTER DATABASE ${quoteName(from)} ALLOW_CONNECTIONS false;
     SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (${quoteText(from)}, ${quoteText(into)}) AND pid <> pg_backend_pid();
     SELECT pg_sleep(0.2);
     BEGIN;
     ALTER DATABASE ${quoteName(from)} RENAME TO ${quoteName(to)};
     ALTER DATABASE ${quoteName(into)} RENAME TO ${quoteName(from)};
     COMMIT;
     ALTER DATABASE ${quoteName(options.allow ? to : from)} ALLOW_CONNECTIONS true;
     ALTER DATABASE ${quoteName(from)} ALLOW_CONNECTIONS true;`,
    { cluster, database: 'postgres' },
  );
}

/** True when the new database stands in the old one's place. */
export async function isSwapped(cluster: Cluster, { fresh, kept }: RestoreNames): Promise<boolean> {
  const names = await existingDatabases(cluster);
  return names.includes(kept) && !names.includes(fresh);
}

/** Puts the new database in the old one's place and keeps the old one under its other name. */
export async function swapDatabases(
  cluster: Cluster,
  { database, fresh, kept }: RestoreNames,
): Promise<void> {
  await renameAside(cluster, database, kept, fresh, { allow: true });
}

/** Puts the old database back, if it was put aside; lets its sessions in again in any case. */
export async function swapBack(cluster: Cluster, names: RestoreNames): Promise<void> {
  if (await isSwapped(cluster, names))
    await renameAside(cluster, names.database, names.fresh, names.kept, { allow: true });
  const existing = await existingDatabases(cluster);
  if (existing.includes(names.database)) {
    await runSql(`ALTER DATABASE ${quoteName(names.database)} ALLOW_CONNECTIONS true;`, {
      cluster,
      database: 'postgres',
    });
  }
}
