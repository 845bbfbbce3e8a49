// backup.run and backup.list.
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { backupIdFor, backupObject, PART_FILES } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { backupList, backupRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { AGENT_ACCOUNT, findAccount } from '../host/accounts.ts';
import { programsFor } from '../host/postgres.ts';
import { assertDumpIsSafe } from '../host/postgres-programs.ts';
import { readDatabaseFacts } from '../host/postgres-properties.ts';
import type { Step, StepContext } from '../runner/steps.ts';
import { dumpDatabase } from './backup-dump.ts';
import { type BackupTerms, manifestStep, prepared, readSummary } from './backup-manifest.ts';
import { readConfiguration, readGlobals, storeSecret } from './backup-secrets.ts';
import {
  chooseExpired,
  listLocalBackups,
  localBackupDir,
  makeLocalBackup,
  removeLeftover,
  removeLocalBackup,
} from './backup-store.ts';
import type { Plan, Read } from './twin.ts';

function placeOf(terms: BackupTerms, context: StepContext, part: keyof typeof PART_FILES) {
  const { backupId } = prepared(context);
  const file = PART_FILES[part];
  return {
    bucket: terms.policy.bucket,
    object: backupObject(terms.host, backupId, file),
    localFile: join(localBackupDir(terms.policy.localDir, backupId), file),
    signal: context.signal,
  };
}

function prepareStep(terms: BackupTerms): Step {
  const { policy, database, cluster } = terms;
  return {
    name: 'prepare',
    describe: () => `make a folder under ${policy.localDir}, when the disk has room for ${database}`,
    run: async ({ envelope, signal }) => {
      const { version: pgDumpVersion } = await programsFor(cluster, signal);
      assertDumpIsSafe(pgDumpVersion);
      const facts = await readDatabaseFacts({ cluster, database, signal });
      const startedAt = new Date();
      const backupId = backupIdFor(startedAt, envelope.id);
      makeLocalBackup(policy.localDir, backupId, (await findAccount(AGENT_ACCOUNT)).gid);
      const { bavail, bsize } = statfsSync(policy.localDir);
      // A compressed dump is smaller than the database; half of it is what we have seen at most.
      if (bavail * bsize < facts.databaseBytes / 2) {
        throw new LamplighterError(
          'unavailable',
          `back up ${database}: ${bavail * bsize} bytes free under ${policy.localDir}, the database has ${facts.databaseBytes}`,
        );
      }
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
  return {
    name: 'database',
    describe: () => `pg_dump ${terms.database} | zstd, to disk and to gs://${terms.policy.bucket}`,
    run: async (context) => {
      const data = await dumpDatabase({
        ...placeOf(terms, context, 'database'),
        cluster: terms.cluster,
        database: terms.database,
      });
      return { data, detail: `${data.part.contentBytes} bytes dumped, ${data.part.bytes} stored` };
    },
  };
}

function globalsStep(terms: BackupTerms): Step {
  return {
    name: 'globals',
    describe: () => 'pg_dumpall --globals-only, encrypted (age), to disk and to the bucket',
    run: async (context) => {
      const content = await readGlobals(terms.cluster, context.signal);
      const { recipients } = terms.policy;
      return {
        data: await storeSecret({
          ...placeOf(terms, context, 'globals'),
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
    describe: () => `tar ${configPaths.join(' ')}, encrypted (age), to disk and to the bucket`,
    run: async (context) => {
      const { tar, missing } = await readConfiguration(configPaths, context.signal);
      const data = await storeSecret({
        ...placeOf(terms, context, 'config'),
        name: 'config',
        content: tar,
        recipients,
      });
      return { data, ...(missing.length > 0 ? { detail: `not there: ${missing.join(', ')}` } : {}) };
    },
  };
}

/** Steps that begin only when the backup is whole: what fails in them must not take it back. */
function retentionStep({ policy, localRetentionDays }: BackupTerms): Step {
  return {
    name: 'retention',
    describe: () => `remove local copies older than ${localRetentionDays} days, never the newest whole one`,
    isRepeatable: true,
    run: ({ note }) => {
      const expired = chooseExpired(listLocalBackups(policy.localDir), localRetentionDays, Date.now());
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
  const { database, localRetentionDays } = backupRun.spec.parse(spec);
  const cluster = policy.databases[database];
  if (!policy.backup || !cluster)
    throw new LamplighterError('refused', `back up ${database}: the policy has no terms for it`);
  const { minLocalRetentionDays } = policy.backup;
  return {
    host,
    database,
    cluster,
    // A command that asks for less would remove what root wants kept; the backup itself is still wanted.
    localRetentionDays: Math.max(localRetentionDays, minLocalRetentionDays),
    policy: policy.backup,
  };
}

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
        retentionStep(terms),
      ],
      result: (context) => context.data.get('manifest') ?? readSummary(terms, context),
      // A dump that was cut off can't be gone on with; once the manifest is there, all is.
      afterCrash: (step) => (step === 'retention' || step === 'manifest' ? 'go-on' : 'undo'),
    };
  },
};

/** Reads of the agent: the folder is root's, so that only what the runner made readable is told. */
export const reads: Record<string, Read> = {
  [backupList.name]: (_spec, { policy }) => {
    const backups = policy.backup ? listLocalBackups(policy.backup.localDir) : [];
    return Promise.resolve({
      backups: backups.filter(({ isWhole }) => isWhole).map(({ backupId, bytes }) => ({ backupId, bytes })),
    });
  },
};
