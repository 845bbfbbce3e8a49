// backup.run and backup.list.

import { join } from 'node:path';
import * as z from 'zod';
import { BackupPart, backupIdFor, backupObject, partFile } from '#shared/backup/manifest.ts';
import { hintOf, messageOf } from '#shared/errors.ts';
import { type BackupSummary, backupList, backupRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { AGENT_ACCOUNT, findAccount } from '../host/accounts.ts';
import { type DiskReserve, openReserve } from '../host/disk-reserve.ts';
import { endSessionsSql } from '../host/lock-watch.ts';
import { programsFor, runSql } from '../host/postgres.ts';
import { assertDumpIsSafe } from '../host/postgres-programs.ts';
import { readDatabaseFacts } from '../host/postgres-properties.ts';
import { defineStep, type Procedure, type Shortfall, type Step, type StepContext } from '../runner/step.ts';
import { readConfiguration } from './backup/configuration.ts';
import { DumpResult, dumpApplication, dumpDatabase } from './backup/dump.ts';
import {
  type BackupOptions,
  type BackupSteps,
  ConfigResult,
  manifestStep,
  Prepared,
  readSummary,
} from './backup/manifest.ts';
import { retentionStep } from './backup/retention.ts';
import { readGlobals, storeSecret } from './backup/secrets.ts';
import { expectBytes } from './backup/size.ts';
import { listLocalBackups, localBackup, makeLocalBackup, removeLeftover } from './backup/store.ts';
import { uploadBackup } from './backup/upload.ts';
import { backupSectionOf, clusterOf } from './policy-database.ts';
import { defineProcedure, defineRead } from './twin.ts';

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

/** Why the bucket does not have the backup; undefined when it does. */
const NotUploaded = z.object({ problem: z.string(), hint: z.string().optional() }).optional();
type NotUploaded = z.infer<typeof NotUploaded>;

/** The backup is whole on the disk before it: a bucket that is out of reach does not take it back. */
function uploadStep(
  { host, policy: { bucket, localDir } }: BackupOptions,
  prepare: Step<Prepared>,
): Step<NotUploaded> {
  return defineStep({
    name: 'upload',
    describe: () => `upload it to gs://${bucket}, the manifest last`,
    output: NotUploaded,
    run: async ({ signal, outputOf }) => {
      try {
        const backup = localBackup(localDir, outputOf(prepare).backupId);
        await uploadBackup({ host, bucket, signal }, backup);
      } catch (error) {
        const [problem, hint] = [messageOf(error), hintOf(error)];
        return { data: { problem, ...(hint === undefined ? {} : { hint }) }, detail: problem };
      }
      return {};
    },
    takesNothingBack: true,
    afterCrash: 'repeat',
  });
}

/** The backup itself is whole: it stays, and the timer uploads it later. */
function shortfallOf(upload: Step<NotUploaded>, { hasEnded, outputOf }: StepContext): Shortfall | undefined {
  if (!hasEnded(upload))
    return { code: 'not-uploaded', message: 'upload: it could not begin; the host goes on trying' };
  const failure = outputOf(upload);
  if (!failure) return undefined;
  const { problem, hint } = failure;
  return { code: 'not-uploaded', message: problem, ...(hint === undefined ? {} : { hint }) };
}

function backupOptions(host: string, spec: z.infer<typeof backupRun.spec>, policy: Policy): BackupOptions {
  const { database, localRetentionDays, encryptDump } = spec;
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

/** A dump that was cut off can't be continued: up to the manifest, a crash undoes everything. */
function planBackup(options: BackupOptions): Procedure<BackupSummary> {
  const prepare = prepareStep(options);
  const makers: BackupSteps = {
    prepare,
    database: databaseStep(options, prepare),
    globals: globalsStep(options, prepare),
    config: configStep(options, prepare),
  };
  const { database, globals, config } = makers;
  const upload = uploadStep(options, prepare);
  return {
    steps: [
      prepare,
      database,
      globals,
      config,
      manifestStep(options, makers),
      upload,
      retentionStep(options),
    ],
    result: (context) => readSummary(options, makers, context),
    shortfall: (context) => shortfallOf(upload, context),
  };
}

export const twins = [
  defineProcedure(backupRun, (spec, { policy, envelope }) =>
    planBackup(backupOptions(envelope.host, spec, policy)),
  ),
  // The folder is root's: the agent lists only what the runner made readable.
  defineRead(backupList, (_spec, { policy }) => {
    const backups = policy.backup ? listLocalBackups(policy.backup.localDir) : [];
    return Promise.resolve({
      backups: backups
        .filter(({ isWhole }) => isWhole)
        .map(({ backupId, bytes, isUploaded }) => ({ backupId, bytes, isUploaded })),
    });
  }),
];
