// The databases that restores have put aside: listed with size and age, and dropped when a person says so. Only a database
// with a record of Lamplighter's own is ever dropped, and only while the database is the very one of the record.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { DatabaseName, Timestamp } from '#shared/names.ts';
import { restoreForget, restoreKept } from '#shared/operations/backup.ts';
import { PATHS } from '../../config/paths.ts';
import { type Cluster, quoteText, runSql } from '../../host/postgres.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import { clusterOf } from '../policy-database.ts';
import { defineProcedure, defineRead } from '../twin.ts';
import { dropDatabase, type RestoreNames } from './database.ts';

const Kept = z.strictObject({
  name: DatabaseName,
  /** The database in whose place another was put. */
  database: DatabaseName,
  /** PostgreSQL's own number of the database: another one of the same name has another. */
  oid: z.int().positive(),
  keptAt: Timestamp,
  /** When it was put aside. */
  bytes: z.int().nonnegative(),
});
type Kept = z.infer<typeof Kept>;

// The agent's group reads which there are.
const DIRECTORY_MODE = 0o750;
const FILE_MODE = 0o640;

function recordFile(name: string): string {
  // A database's name may hold a slash.
  return join(PATHS.kept, `${encodeURIComponent(DatabaseName.parse(name))}.json`);
}

async function findDatabase(
  cluster: Cluster,
  name: string,
): Promise<{ oid: number; bytes: number } | undefined> {
  const [row] = await runSql(
    `SELECT oid || ' ' || pg_database_size(oid) FROM pg_database WHERE datname = ${quoteText(name)};`,
    { cluster, database: 'postgres' },
  );
  const [oid, bytes] = row?.split(' ') ?? [];
  return row === undefined ? undefined : { oid: Number(oid), bytes: Number(bytes) };
}

/** Records what the swap is about to put aside. */
export async function recordKept(cluster: Cluster, { database, kept }: RestoreNames): Promise<void> {
  const found = await findDatabase(cluster, database);
  if (!found) return;
  mkdirSync(PATHS.kept, { recursive: true, mode: DIRECTORY_MODE });
  const record: Kept = { name: kept, database, ...found, keptAt: new Date().toISOString() };
  writeDurably(recordFile(kept), JSON.stringify(record), FILE_MODE);
}

/** Takes the record back: the database stands in its old place again. */
export function unrecordKept({ kept }: RestoreNames): void {
  rmSync(recordFile(kept), { force: true });
}

function readRecord(name: string): Kept | undefined {
  const file = recordFile(name);
  return existsSync(file) ? Kept.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}

function listRecords(): Kept[] {
  if (!existsSync(PATHS.kept)) return [];
  const names = readdirSync(PATHS.kept).filter((name) => name.endsWith('.json'));
  return names
    .flatMap((name) => {
      try {
        return readRecord(decodeURIComponent(name.slice(0, -'.json'.length))) ?? [];
      } catch (error) {
        // A damaged record must not hide the others; the agent's log names it.
        console.error(JSON.stringify({ msg: 'record passed over', file: name, error: messageOf(error) }));
        return [];
      }
    })
    .toSorted((a, b) => a.keptAt.localeCompare(b.keptAt));
}

function dropStep(spec: z.infer<typeof restoreForget.spec>, cluster: Cluster): Step<undefined> {
  const { name, database } = spec;
  return defineStep({
    name: 'drop-kept',
    describe: () => `DROP DATABASE ${name}, which a restore of ${database} put aside`,
    run: async () => {
      const record = readRecord(name);
      if (!record || record.database !== database) {
        throw new LamplighterError('not-found', `drop ${name}: no restore of ${database} has put it aside`, {
          hint: 'lamp kept lists the databases that restores have put aside.',
        });
      }
      const found = await findDatabase(cluster, name);
      if (found && found.oid !== record.oid) {
        throw new LamplighterError('refused', `drop ${name}: it is not the database that was put aside`, {
          hint: 'Somebody has made a database of this name since then. Drop it by hand if nobody needs it.',
        });
      }
      await dropDatabase(cluster, name);
      unrecordKept({ database, fresh: name, kept: name });
      return { detail: found ? `${found.bytes} bytes` : 'it was gone already' };
    },
    afterCrash: 'repeat',
  });
}

export const twins = [
  defineProcedure(restoreForget, (spec, { policy }) => {
    const cluster = clusterOf(policy, spec.database, `drop ${spec.name}`);
    return { steps: [dropStep(spec, cluster)], result: () => ({ name: spec.name }) };
  }),
  // Answered from the records alone.
  defineRead(restoreKept, () =>
    Promise.resolve({
      kept: listRecords().map(({ name, database, keptAt, bytes }) => ({ name, database, keptAt, bytes })),
    }),
  ),
];
