// The database's part of a backup: pg_dump alone touches the database. What it writes is counted, hashed, compressed and
// written to the disk in one pass, by a process that can reach nothing else.
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { BackupPart, TableCount } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { EXIT_NO_ROOM, LOCAL_FD, PackResult, RESULT_FD } from '../../backup-pack/protocol.ts';
import { packAccount } from '../../host/accounts.ts';
import { recipientFingerprint } from '../../host/age-identity.ts';
import { type DiskReserve, withinReserves } from '../../host/disk-reserve.ts';
import { awaitEnd, type Ended, killOnAbort, mustHaveEndedWell } from '../../host/joined.ts';
import { LockHindrance, watchLocks } from '../../host/lock-watch.ts';
import {
  type Cluster,
  clusterArguments,
  databaseArgument,
  PROGRAM_ENV,
  postgresAccount,
  programsFor,
} from '../../host/postgres.ts';
import { startProgram } from '../../host/process.ts';
import { type SealedChild, startSealedChild } from '../../host/sealed-child.ts';

export interface DumpOrder {
  cluster: Cluster;
  database: string;
  /** The database's own encoding, so that nothing is converted: not every byte in it has a counterpart in UTF-8. */
  encoding: string;
  commandId: string;
  object: string;
  localFile: string;
  reserve: DiskReserve;
  /** age recipients; empty for a dump that is stored as it is. */
  recipients: readonly string[];
  signal: AbortSignal;
  note(text: string): void;
}

export const DumpResult = z.object({ part: BackupPart, tables: z.array(TableCount) });
export type DumpResult = z.infer<typeof DumpResult>;

const LOCAL_MODE = 0o600;
/** Before each further attempt, when a lock was in the way. */
const PAUSES_MS = [5000, 15_000, 30_000];

/** Name of the dump's session, by which its locks are found and, if need be, ended. */
export function dumpApplication(commandId: string): string {
  return `lamplighter-backup ${commandId}`;
}

/** Arguments of pg_dump: the custom format (a truncation shows), not compressed by pg_dump (zstd is faster). */
export function dumpArguments(cluster: Cluster, database: string, encoding: string): string[] {
  return [
    '--format=custom',
    '--compress=0',
    // The watch gives up earlier; this limit also holds where the watch sees nothing.
    '--lock-wait-timeout=10s',
    `--encoding=${encoding}`,
    ...clusterArguments(cluster),
    databaseArgument(database),
  ];
}

/**
 * Dumps a database. When a lock is in the way for some seconds, the dump gives up, so that nobody queues behind it, and
 * tries again a few times. Throws `LockHindrance` when a lock was in the way each time, `unavailable` when the disk's
 * reserve would have been touched, `failed` when any of the programs failed.
 */
export async function dumpDatabase(order: DumpOrder): Promise<DumpResult> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await dumpOnce(order);
    } catch (error) {
      rmSync(order.localFile, { force: true });
      const pauseMs = PAUSES_MS[attempt];
      if (!(error instanceof LockHindrance)) throw error;
      if (pauseMs === undefined) throw tellGivenUp(order, error, attempt + 1);
      order.note(`${messageOf(error)}; trying again in ${pauseMs / 1000} s`);
      await sleep(pauseMs, undefined, { signal: order.signal });
    }
  }
}

function tellGivenUp({ database }: DumpOrder, { message, hint }: LockHindrance, attempts: number): Error {
  return new LamplighterError('busy', `dump ${database}: given up after ${attempts} attempts: ${message}`, {
    retryable: true,
    ...(hint === undefined ? {} : { hint }),
  });
}

async function dumpOnce(order: DumpOrder): Promise<DumpResult> {
  const { cluster, commandId, signal, reserve, object } = order;
  const locks = await watchLocks(cluster, dumpApplication(commandId));
  const hindered = new AbortController();
  let hindrance: unknown;
  locks.watched.catch((error: unknown) => {
    hindrance ??= error;
    hindered.abort();
  });
  try {
    const either = AbortSignal.any([signal, hindered.signal]);
    const { tables, plain, ...measures } = await withinReserves([reserve], either, (alive) =>
      packDump(order, alive),
    );
    return { part: { name: 'database', object, ...measures, ...encodingOf(order, plain) }, tables };
  } catch (error) {
    throw hindrance ?? error;
  } finally {
    await locks.stop();
  }
}

/** Throws `internal` when a dump that was to be encrypted was not: it must not leave the host. */
function encodingOf(
  { database, recipients }: DumpOrder,
  plain: PackResult['plain'],
): Pick<BackupPart, 'encoding' | 'encryption'> {
  if (recipients.length === 0) return { encoding: 'pg_dump-custom+zstd' };
  if (!plain) throw new LamplighterError('internal', `dump ${database}: it was not encrypted`);
  const fingerprints = recipients.map(recipientFingerprint);
  const encryption = { recipients: fingerprints, plainBytes: plain.bytes, plainSha256: plain.sha256 };
  return { encoding: 'pg_dump-custom+zstd+age', encryption };
}

async function packDump(order: DumpOrder, signal: AbortSignal): Promise<PackResult> {
  const { cluster, database, encoding, commandId, localFile, reserve, recipients } = order;
  const programs = await programsFor(cluster, signal);
  const [account, packer] = [await postgresAccount(), await packAccount()];
  const local = openSync(localFile, 'wx', LOCAL_MODE);
  try {
    const stdio = ['pipe', 'ignore', 'pipe', 'ignore', 'pipe'] as ('pipe' | 'ignore' | number)[];
    stdio[LOCAL_FD] = local;
    const child = await startSealedChild(
      {
        name: 'backup-pack',
        args: [
          '--max-bytes',
          String(Math.max(0, reserve.roomBytes())),
          ...recipients.flatMap((recipient) => ['--recipient', recipient]),
        ],
        account: packer,
        stdio,
        resultFd: RESULT_FD,
      },
      signal,
    );
    const sink = child.process.stdin;
    const dump = startProgram(
      {
        file: programs.file('pg_dump'),
        args: dumpArguments(cluster, database, encoding),
        account,
        env: { ...PROGRAM_ENV, PGAPPNAME: dumpApplication(commandId) },
      },
      ['ignore', sink ?? 'ignore', 'pipe'],
    );
    killOnAbort(dump, signal);
    // The child has the pipe now. If this process kept it open too, the child would never see its end.
    sink?.destroy();
    const result = await readResult(await awaitEnd('pg_dump', dump), child, reserve);
    fsyncSync(local);
    return result;
  } finally {
    closeSync(local);
  }
}

/** A dump that was cut off ends like a whole one: only pg_dump's exit code shows the difference. */
async function readResult(dumped: Ended, child: SealedChild, reserve: DiskReserve): Promise<PackResult> {
  const packed = await child.ended;
  if (packed.code === EXIT_NO_ROOM) throw reserve.fault();
  // A fault that the packer reports of a dump that was cut off is only a consequence.
  if (dumped.code !== 0 && !isOwnFault(packed)) mustHaveEndedWell([dumped]);
  mustHaveEndedWell([dumped, packed]);
  const [line] = child.lines();
  return PackResult.parse(JSON.parse(line ?? 'null'));
}

function isOwnFault({ code, said }: Ended): boolean {
  return code !== 0 && !/it ends (in the middle|without)/.test(said);
}
