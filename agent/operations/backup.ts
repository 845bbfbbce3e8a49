// backup.run and backup.list.

import { join } from 'node:path';
import * as z from 'zod';
import { type BackupPart, backupIdFor, backupObject, partFile } from '#shared/backup/manifest.ts';
import { hintOf, LamplighterError, messageOf } from '#shared/errors.ts';
import { lookUp } from '#shared/look-up.ts';
import { backupList, backupRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { AGENT_ACCOUNT, findAccount } from '../host/accounts.ts';
import { type DiskReserve, openReserve } from '../host/disk-reserve.ts';
import { endSessionsSql } from '../host/lock-watch.ts';
import { programsFor, runSql } from '../host/postgres.ts';
import { assertDumpIsSafe } from '../host/postgres-programs.ts';
import { readDatabaseFacts } from '../host/postgres-properties.ts';
import type { Shortfall, Step, StepContext } from '../runner/steps.ts';
import { readConfiguration } from './backup-configuration.ts';
import { dumpApplication, dumpDatabase } from './backup-dump.ts';
import {
  type BackupTerms,
  type ConfigResult,
  manifestStep,
  prepared,
  readSummary,
} from './backup-manifest.ts';
import { chooseExpired, listCandidates } from './backup-retention.ts';
import { readGlobals, storeSecret } from './backup-secrets.ts';
import { expectBytes } from './backup-size.ts';
import {
  listLocalBackups,
  localBackupDir,
  makeLocalBackup,
  removeLeftover,
  removeLocalBackup,
} from './backup-store.ts';
import { uploadBackup } from './backup-upload.ts';
import type { Plan, Read } from './twin.ts';

function placeOf(
  terms: BackupTerms,
  context: StepContext,
  name: BackupPart['name'],
  encoding: BackupPart['encoding'],
) {
  const { backupId } = prepared(context);
  const file = partFile({ name, encoding });
  return {
    object: backupObject(terms.host, backupId, file),
    localFile: join(localBackupDir(terms.policy.localDir, backupId), file),
  };
}

const OLD_SERVER =
  'the server lacks the fix of CVE-2024-7348 (August 2024): upgrade it to the newest minor release of its version';

function reserveFor({ policy, database }: BackupTerms): DiskReserve {
  return openReserve(policy.localDir, `back up ${database}`);
}

function prepareStep(terms: BackupTerms): Step {
  const { policy, database, cluster } = terms;
  return {
    name: 'prepare',
    describe: () => `make a folder under ${policy.localDir}, when the disk has room for ${database}`,
    run: async ({ envelope, signal, note }) => {
      const { version: pgDumpVersion } = await programsFor(cluster, signal);
      assertDumpIsSafe(pgDumpVersion);
      const { isSafeServer, ...facts } = await readDatabaseFacts({ cluster, database, signal });
      if (!isSafeServer) note(OLD_SERVER);
      const startedAt = new Date();
      const backupId = backupIdFor(startedAt, envelope.id);
      makeLocalBackup(policy.localDir, backupId, (await findAccount(AGENT_ACCOUNT)).gid);
      const reserve = reserveFor(terms);
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
  };
}

function databaseStep(terms: BackupTerms): Step {
  const { policy, isEncrypted } = terms;
  const encoding = isEncrypted ? 'pg_dump-custom+zstd+age' : 'pg_dump-custom+zstd';
  return {
    name: 'database',
    describe: () =>
      `pg_dump ${terms.database} | zstd${isEncrypted ? ' | age' : ''}, to ${policy.localDir}; gives way to locks`,
    run: async (context) => {
      const data = await dumpDatabase({
        ...placeOf(terms, context, 'database', encoding),
        recipients: isEncrypted ? policy.recipients : [],
        cluster: terms.cluster,
        database: terms.database,
        encoding: prepared(context).properties.encoding,
        commandId: context.envelope.id,
        reserve: reserveFor(terms),
        signal: context.signal,
        note: context.note,
      });
      return { data, detail: `${data.part.contentBytes} bytes dumped, ${data.part.bytes} stored` };
    },
    undo: async ({ envelope }) => {
      // A dump's session outlives a killed pg_dump while it waits for a lock. Without a server there is none.
      const sql = endSessionsSql(dumpApplication(envelope.id));
      await runSql(sql, { cluster: terms.cluster, database: 'postgres' }).catch(() => undefined);
    },
  };
}

function globalsStep(terms: BackupTerms): Step {
  return {
    name: 'globals',
    describe: () => 'pg_dumpall --globals-only, encrypted (age)',
    run: async (context) => {
      const content = await readGlobals(terms.cluster, context.signal);
      const { recipients } = terms.policy;
      return {
        data: await storeSecret({
          ...placeOf(terms, context, 'globals', 'sql+age'),
          name: 'globals',
          content,
          recipients,
        }),
      };
    },
  };
}

function configStep(terms: BackupTerms): Step {
  const { configPaths, recipients } = terms.policy;
  return {
    name: 'config',
    describe: () => `tar ${configPaths.join(' ')}, encrypted (age)`,
    run: async (context) => {
      const { tar, notes, leftOut } = await readConfiguration(configPaths, context.signal);
      const part = await storeSecret({
        ...placeOf(terms, context, 'config', 'tar+age'),
        name: 'config',
        content: tar,
        recipients,
      });
      const data: ConfigResult = { part, leftOut };
      return { data, ...(notes.length > 0 ? { detail: notes.join('; ') } : {}) };
    },
  };
}

const NotUploaded = z.object({ problem: z.string(), hint: z.string().optional() });

/** The backup is whole on the disk before it: a bucket that is out of reach does not take it back. */
function uploadStep({ host, policy: { bucket, localDir } }: BackupTerms): Step {
  return {
    name: 'upload',
    describe: () => `upload it to gs://${bucket}, the manifest last`,
    isRepeatable: true,
    takesNothingBack: true,
    run: async (context) => {
      const place = { host, bucket, localDir, signal: context.signal };
      try {
        await uploadBackup(place, prepared(context).backupId);
      } catch (error) {
        const [problem, hint] = [messageOf(error), hintOf(error)];
        return { data: { problem, ...(hint === undefined ? {} : { hint }) }, detail: problem };
      }
      return {};
    },
  };
}

/** The backup itself is whole: it is kept, and its upload made up for. */
function shortfallOf(context: StepContext): Shortfall | undefined {
  if (!context.data.has('upload'))
    return { code: 'not-uploaded', message: 'upload: it could not begin; the host goes on trying' };
  const failure = NotUploaded.safeParse(context.data.get('upload'));
  if (!failure.success) return undefined;
  const { problem, hint } = failure.data;
  return { code: 'not-uploaded', message: problem, ...(hint === undefined ? {} : { hint }) };
}

function retentionStep({ policy, localRetentionDays }: BackupTerms): Step {
  return {
    name: 'retention',
    describe: () =>
      `remove local copies older than ${localRetentionDays} days, never the newest good one of a database or one that is not in the bucket`,
    isRepeatable: true,
    takesNothingBack: true,
    run: ({ note }) => {
      const backups = listCandidates(policy.localDir);
      const { expired, waiting } = chooseExpired(backups, localRetentionDays, Date.now());
      for (const backupId of waiting) note(`kept ${backupId}: the bucket does not have it yet`);
      for (const backupId of expired) {
        try {
          removeLocalBackup(policy.localDir, backupId);
        } catch (error) {
          note(`could not remove ${backupId}: ${messageOf(error)}`);
        }
      }
      return Promise.resolve({ detail: `${expired.length} removed` });
    },
  };
}

function backupTerms(host: string, spec: unknown, policy: Policy): BackupTerms {
  const { database, localRetentionDays, encryptDump } = backupRun.spec.parse(spec);
  const cluster = lookUp(policy.databases, database);
  if (!policy.backup || !cluster)
    throw new LamplighterError('refused', `back up ${database}: the policy has no terms for it`);
  const { minLocalRetentionDays, mustEncryptDump } = policy.backup;
  return {
    host,
    database,
    cluster,
    // A command that asks for less would remove what root wants kept; the backup itself is still wanted.
    localRetentionDays: Math.max(localRetentionDays, minLocalRetentionDays),
    isEncrypted: encryptDump || mustEncryptDump,
    policy: policy.backup,
  };
}

const GOES_ON = new Set(['manifest', 'upload', 'retention']);

/** Procedures of the runner. */
export const procedures: Record<string, Plan> = {
  [backupRun.name]: (spec, { policy, envelope }) => {
    const terms = backupTerms(envelope.host, spec, policy);
    return {
      steps: [
        prepareStep(terms),
        databaseStep(terms),
        globalsStep(terms),
        configStep(terms),
        manifestStep(terms),
        uploadStep(terms),
        retentionStep(terms),
      ],
      result: (context) => readSummary(terms, context),
      shortfall: shortfallOf,
      // A dump that was cut off can't be gone on with; once the manifest is there, all is.
      afterCrash: (step) => (GOES_ON.has(step) ? 'go-on' : 'undo'),
    };
  },
};

/** Reads of the agent: the folder is root's, so that only what the runner made readable is told. */
export const reads: Record<string, Read> = {
  [backupList.name]: (_spec, { policy }) => {
    const backups = policy.backup ? listLocalBackups(policy.backup.localDir) : [];
    return Promise.resolve({
      backups: backups
        .filter(({ isWhole }) => isWhole)
        .map(({ backupId, bytes, isUploaded }) => ({ backupId, bytes, isUploaded })),
    });
  },
};
