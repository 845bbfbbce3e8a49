// The steps that make a backup whole on the disk, for whatever procedure needs one.
import { join } from 'node:path';
import { BackupPart, backupIdFor, backupObject, partFile } from '#shared/backup/manifest.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { AGENT_ACCOUNT, findAccount } from '../../host/accounts.ts';
import { type DiskReserve, openReserve } from '../../host/disk-reserve.ts';
import { endSessionsSql } from '../../host/lock-watch.ts';
import { programsFor, runSql } from '../../host/postgres.ts';
import { assertDumpIsSafe } from '../../host/postgres-programs.ts';
import { readDatabaseFacts } from '../../host/postgres-properties.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import { backupSectionOf, clusterOf } from '../policy-database.ts';
import { readConfiguration } from './configuration.ts';
import { DumpResult, dumpApplication, dumpDatabase } from './dump.ts';
import { type BackupOptions, type BackupSteps, ConfigResult, Prepared } from './manifest.ts';
import { readGlobals, storeSecret } from './secrets.ts';
import { expectBytes } from './size.ts';
import { localBackup, makeLocalBackup, removeLeftover } from './store.ts';

function placeOf(
  options: BackupOptions,
  { backupId }: Prepared,
  name: BackupPart['name'],
  encoding: BackupPart['encoding'],
) {
  const file = partFile({ name, encoding });
  return {
    object: backupObject(options.host, backupId, file),
    localFile: join(localBackup(options.policy.localDir, backupId).dir, file),
  };
}

const OLD_SERVER =
  'the server lacks the fix of CVE-2024-7348 (August 2024): upgrade it to the newest minor release of its version';

function reserveFor({ policy, database }: BackupOptions): DiskReserve {
  return openReserve(policy.localDir, `back up ${database}`);
}

function prepareStep(options: BackupOptions): Step<Prepared> {
  const { policy, database, cluster } = options;
  return defineStep({
    name: 'prepare',
    describe: () => `make a folder under ${policy.localDir}, when the disk has room for ${database}`,
    output: Prepared,
    run: async ({ envelope, signal, note }) => {
      const { version: pgDumpVersion } = await programsFor(cluster, signal);
      assertDumpIsSafe(pgDumpVersion);
      const { isSafeServer, ...facts } = await readDatabaseFacts({ cluster, database, signal });
      if (!isSafeServer) note(OLD_SERVER);
      const startedAt = new Date();
      const backupId = backupIdFor(startedAt, envelope.id);
      makeLocalBackup(policy.localDir, backupId, (await findAccount(AGENT_ACCOUNT)).gid);
      const reserve = reserveFor(options);
      const expectedBytes = expectBytes(
        policy.localDir,
        { database, databaseBytes: facts.databaseBytes },
        note,
      );
      if (reserve.roomBytes() < expectedBytes) throw reserve.fault(expectedBytes);
      return {
        data: { backupId, startedAt: startedAt.toISOString(), pgDumpVersion, ...facts },
        detail: backupId,
      };
    },
    undo: ({ envelope }) => {
      removeLeftover(policy.localDir, envelope.id);
      return Promise.resolve();
    },
    afterCrash: 'undo',
  });
}

function databaseStep(options: BackupOptions, prepare: Step<Prepared>): Step<DumpResult> {
  const { policy, isEncrypted } = options;
  const encoding = isEncrypted ? 'pg_dump-custom+zstd+age' : 'pg_dump-custom+zstd';
  return defineStep({
    name: 'database',
    describe: () =>
      `pg_dump ${options.database} | zstd${isEncrypted ? ' | age' : ''}, to ${policy.localDir}; gives way to locks`,
    output: DumpResult,
    run: async (context) => {
      const made = context.outputOf(prepare);
      const data = await dumpDatabase({
        ...placeOf(options, made, 'database', encoding),
        recipients: isEncrypted ? policy.recipients : [],
        cluster: options.cluster,
        database: options.database,
        encoding: made.properties.encoding,
        commandId: context.envelope.id,
        reserve: reserveFor(options),
        signal: context.signal,
        note: context.note,
      });
      return { data, detail: `${data.part.contentBytes} bytes dumped, ${data.part.bytes} stored` };
    },
    undo: async ({ envelope }) => {
      // A dump's session outlives a killed pg_dump while it waits for a lock. Without a server there is none.
      const sql = endSessionsSql(dumpApplication(envelope.id));
      await runSql(sql, { cluster: options.cluster, database: 'postgres' }).catch(() => undefined);
    },
    afterCrash: 'undo',
  });
}

function globalsStep(options: BackupOptions, prepare: Step<Prepared>): Step<BackupPart> {
  return defineStep({
    name: 'globals',
    describe: () => 'pg_dumpall --globals-only, encrypted (age)',
    output: BackupPart,
    run: async ({ signal, outputOf }) => {
      const content = await readGlobals(options.cluster, signal);
      const { recipients } = options.policy;
      return {
        data: await storeSecret({
          ...placeOf(options, outputOf(prepare), 'globals', 'sql+age'),
          name: 'globals',
          content,
          recipients,
        }),
      };
    },
    afterCrash: 'undo',
  });
}

function configStep(options: BackupOptions, prepare: Step<Prepared>): Step<ConfigResult> {
  const { configPaths, recipients } = options.policy;
  return defineStep({
    name: 'config',
    describe: () => `tar ${configPaths.join(' ')}, encrypted (age)`,
    output: ConfigResult,
    run: async ({ signal, outputOf }) => {
      const { tar, notes, leftOut } = await readConfiguration(configPaths, signal);
      const part = await storeSecret({
        ...placeOf(options, outputOf(prepare), 'config', 'tar+age'),
        name: 'config',
        content: tar,
        recipients,
      });
      return { data: { part, leftOut }, ...(notes.length > 0 ? { detail: notes.join('; ') } : {}) };
    },
    afterCrash: 'undo',
  });
}

export interface BackupOrder {
  database: string;
  localRetentionDays: number;
  encryptDump: boolean;
}

/** What a backup of a host is made from. Throws `refused` when the policy no longer allows it. */
export function backupOptions(host: string, order: BackupOrder, policy: Policy): BackupOptions {
  const { database, localRetentionDays, encryptDump } = order;
  const task = `back up ${database}`;
  const backup = backupSectionOf(policy, task);
  const { minLocalRetentionDays, mustEncryptDump } = backup;
  return {
    host,
    database,
    cluster: clusterOf(policy, database, task),
    // A command that asks for less would remove what root wants kept; the backup itself is still wanted.
    localRetentionDays: Math.max(localRetentionDays, minLocalRetentionDays),
    isEncrypted: encryptDump || mustEncryptDump,
    policy: backup,
  };
}

/** The steps that make what a manifest names; `manifestStep` comes after them. */
export function backupSteps(options: BackupOptions): BackupSteps {
  const prepare = prepareStep(options);
  return {
    prepare,
    database: databaseStep(options, prepare),
    globals: globalsStep(options, prepare),
    config: configStep(options, prepare),
  };
}
