// The database's part of a backup: one snapshot, its rows counted, dumped, compressed, hashed, written to disk and to the
// bucket, in one pass.
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { BackupPart, TableCount } from '#shared/backup/manifest.ts';
import { uploadAccount } from '../host/accounts.ts';
import { startBackupChild } from '../host/backup-child.ts';
import { awaitEnd, isPipeBroken, killOnAbort, mustHaveEndedWell } from '../host/joined.ts';
import {
  type Cluster,
  COUNT_ROWS,
  clusterArguments,
  openSnapshot,
  postgresAccount,
  programsFor,
} from '../host/postgres.ts';
import { startProgram } from '../host/process.ts';

export interface DumpOrder {
  cluster: Cluster;
  database: string;
  bucket: string;
  object: string;
  localFile: string;
  signal: AbortSignal;
}

export const DumpResult = z.object({
  part: BackupPart,
  tables: z.array(TableCount),
});
export type DumpResult = z.infer<typeof DumpResult>;

const LOCAL_MODE = 0o600;

/** Arguments of pg_dump: the custom format (a truncation shows), not compressed by pg_dump (zstd is faster), in the given snapshot. */
export function dumpArguments(cluster: Cluster, database: string, snapshot: string): string[] {
  return [
    '--format=custom',
    '--compress=0',
    '--lock-wait-timeout=10min',
    `--snapshot=${snapshot}`,
    ...clusterArguments(cluster),
    `--dbname=${database}`,
  ];
}

/** Dumps a database. Throws `failed` when any of the programs on the way fails; what was written then has no manifest and does not count. */
export async function dumpDatabase(order: DumpOrder): Promise<DumpResult> {
  const { cluster, database, signal } = order;
  const session = await openSnapshot({ cluster, database, signal });
  try {
    const tables = (await session.query(COUNT_ROWS)).map((line) => TableCount.parse(JSON.parse(line)));
    const part = await streamDump(order, session.snapshot);
    return { part, tables };
  } finally {
    session.close();
  }
}

/** How long a child that stopped reading may take to end. */
const LAST_WORDS_MS = 5000;

async function streamDump(
  { cluster, database, bucket, object, localFile, signal }: DumpOrder,
  snapshot: string,
): Promise<BackupPart> {
  const programs = await programsFor(cluster, signal);
  const local = openSync(localFile, 'wx', LOCAL_MODE);
  try {
    const [account, uploader] = [await postgresAccount(), await uploadAccount()];
    const args = ['store', '--bucket', bucket, '--object', object, '--compress', '--local'];
    const child = startBackupChild(uploader, args, { stdin: 'pipe', stdout: 'ignore', local }, signal);
    const sink = child.process.stdin;
    // In the same turn: were the child to end before, its pipe would be gone.
    const dump = startProgram(
      { file: programs.file('pg_dump'), args: dumpArguments(cluster, database, snapshot), account },
      ['ignore', sink ?? 'ignore', 'pipe'],
    );
    killOnAbort(dump, signal);
    // The pipe is theirs now: held open here as well, the child would never see its end.
    sink?.destroy();
    const dumped = await awaitEnd('pg_dump', dump);
    // A dump that was cut off ends like one that is whole: only its exit code tells.
    if (dumped.code === 0) child.approve();
    else {
      // Nobody read any more: whoever stopped reading is about to say why.
      if (isPipeBroken(dumped))
        await Promise.race([child.ended, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
      if (!child.abandon()) mustHaveEndedWell([dumped, await child.ended]);
    }
    mustHaveEndedWell([dumped]);
    const result = await child.result();
    fsyncSync(local);
    return { name: 'database', object, encoding: 'pg_dump-custom+zstd', ...result };
  } finally {
    closeSync(local);
  }
}
