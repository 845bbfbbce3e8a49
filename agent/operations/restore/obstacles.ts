// What would make the swap fail, or leave something behind unnoticed: looked for before any service stops.
import type { DatabaseProperties } from '#shared/backup/database-properties.ts';
import { LamplighterError } from '#shared/errors.ts';
import { type Cluster, quoteText, runSql } from '../../host/postgres.ts';
import { missingRoles } from './advice.ts';
import { rolesOf } from './properties.ts';

const ADMIN = { database: 'postgres' };

/** Each finds names in a database, and what it means for a restore. All read the catalogue alone. */
const OBSTACLES: readonly { query: string; what: string; hint: string }[] = [
  {
    query: 'SELECT gid FROM pg_prepared_xacts WHERE database = ',
    what: 'a prepared transaction holds it',
    hint: "End it by COMMIT PREPARED or ROLLBACK PREPARED 'NAME' in that database; a database with one can't be renamed.",
  },
  {
    query: 'SELECT slot_name FROM pg_replication_slots WHERE database = ',
    what: 'a replication slot belongs to it',
    hint: "The slot would stay with the old database and keep its WAL for ever: stop the subscriber and SELECT pg_drop_replication_slot('NAME').",
  },
  {
    query: 'SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = ',
    what: 'it has a subscription',
    hint: 'The old database would go on receiving rows, and could not be dropped: ALTER SUBSCRIPTION NAME DISABLE, then DROP SUBSCRIPTION, and create it again after the restore.',
  },
];

function refuse(database: string, what: string, hint: string): never {
  throw new LamplighterError('refused', `restore ${database}: ${what}`, { hint });
}

/** Answers to several questions, each for one column of names, in the order of the questions: one session asks them all. */
async function namesOf(cluster: Cluster, questions: readonly string[]): Promise<string[][]> {
  const sql = questions.map((question, i) => `SELECT '${i} ' || name FROM (${question}) AS found(name);`);
  const rows = await runSql(sql.join('\n'), { cluster, ...ADMIN });
  return questions.map((_question, i) =>
    rows.filter((row) => row.startsWith(`${i} `)).map((row) => row.slice(`${i} `.length)),
  );
}

/** A restore works from the first, and the server copies the others: none can be renamed away. */
const OF_THE_SERVER = new Set(['postgres', 'template0', 'template1']);

/** Throws `refused` with the first obstacle, its names and what to do about it. */
export async function refuseObstacles(
  cluster: Cluster,
  database: string,
  properties: DatabaseProperties,
): Promise<void> {
  if (OF_THE_SERVER.has(database))
    refuse(
      database,
      "it is one of the server's own databases and can't be put aside",
      'Take what you need out of the dump by hand: zstd -dc database.dump.zst | pg_restore -d OTHER_DATABASE',
    );
  const { tablespace } = properties;
  const roles = rolesOf(properties).map(quoteText).join(', ');
  const [existing = [], missing = [], places = [], ...found] = await namesOf(cluster, [
    `SELECT datname FROM pg_database WHERE datname = ${quoteText(database)}`,
    `SELECT name FROM unnest(ARRAY[${roles}]) AS name WHERE name NOT IN (SELECT rolname FROM pg_roles)`,
    `SELECT spcname FROM pg_tablespace WHERE spcname = ${quoteText(tablespace)}`,
    ...OBSTACLES.map(({ query }) => `${query}${quoteText(database)}`),
  ]);
  if (existing.length === 0)
    refuse(
      database,
      'the database does not exist, so its owner and locale are unknown',
      `Make an empty one, and restore again: createdb ${database}`,
    );
  if (missing.length > 0) throw missingRoles(missing);
  if (places.length === 0)
    refuse(
      database,
      `tablespace ${tablespace} is missing`,
      `Make it, and restore again: CREATE TABLESPACE "${tablespace}" LOCATION '…'`,
    );
  for (const [i, { what, hint }] of OBSTACLES.entries()) {
    const names = found[i] ?? [];
    if (names.length > 0) refuse(database, `${what} (${names.join(', ')})`, hint);
  }
}
