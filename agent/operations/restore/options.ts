// What one restore works on, and what its steps share. Only the process that began a restore goes on
// with it: after a crash before the swap all is undone, so nothing of the state has to survive.
import type * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import type { restoreRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { DiskReserve } from '../../host/disk-reserve.ts';
import type { Cluster } from '../../host/postgres.ts';
import type { Programs } from '../../host/postgres-programs.ts';
import type { Login } from '../../host/sql-script.ts';
import type { RestoreNames } from './database.ts';
import type { OpenDump } from './dump.ts';
import type { Standing } from './plan.ts';
import { makeLogin } from './role.ts';

export interface RestoreState {
  dump: OpenDump | undefined;
  /** The client programs that fit the server. */
  programs: Programs | undefined;
  standingOf: ((owner: string) => Standing) | undefined;
  /** Of the disks that the new database and its log are on. */
  reserves: readonly DiskReserve[];
  /** Gives the same login each time. */
  login(): Promise<Login>;
}

export interface RestoreOptions {
  spec: z.infer<typeof restoreRun.spec>;
  host: string;
  names: RestoreNames;
  cluster: Cluster;
  policy: NonNullable<Policy['backup']>;
  state: RestoreState;
}

export function openState(): RestoreState {
  let login: Promise<Login> | undefined;
  return {
    dump: undefined,
    programs: undefined,
    standingOf: undefined,
    reserves: [],
    login: () => {
      login ??= makeLogin();
      return login;
    },
  };
}

/** What the check has found. Throws `internal` when there was none in this process. */
export function foundBy({ state: { dump, programs, standingOf } }: RestoreOptions): {
  dump: OpenDump;
  programs: Programs;
  standingOf: (owner: string) => Standing;
} {
  if (dump && programs && standingOf) return { dump, programs, standingOf };
  throw new LamplighterError('internal', 'restore: the backup was not checked by this process');
}
