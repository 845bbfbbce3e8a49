// backup.run and backup.list.
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import {
  BackupManifest,
  BackupPart,
  backupIdFor,
  backupObject,
  MANIFEST_FILE,
  PART_FILES,
} from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { BackupId } from '#shared/names.ts';
import { type BackupSummary, backupList, backupRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { encodeDsse } from '#shared/signing/dsse.ts';
import { AGENT_ACCOUNT, findAccount } from '../host/accounts.ts';
import { type Cluster, postgresProgram, runSql } from '../host/postgres.ts';
import { runChecked } from '../host/process.ts';
import { writeDurably } from '../runner/durable.ts';
import type { Step, StepContext } from '../runner/steps.ts';
import { DumpResult, dumpDatabase } from './backup-dump.ts';
import { readConfiguration, readGlobals, storeSecret, uploadBytes } from './backup-secrets.ts';
import {
  chooseExpired,
  listLocalBackups,
  localBackupDir,
  makeLocalBackup,
  removeLocalBackup,
} from './backup-store.ts';
import type { Plan, Read } from './twin.ts';

interface BackupTerms {
  host: string;
  database: string;
  cluster: Cluster;
  localRetentionDays: number;
  policy: NonNullable<Policy['backup']>;
}

const Prepared = z.object({ backupId: BackupId, startedAt: z.string() });

function prepared(context: StepContext): z.infer<typeof Prepared> {
  return Prepared.parse(context.data.get('prepare'));
}

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
      const [size = '0'] = await runSql(`SELECT pg_database_size('${database}');`, {
        cluster,
        database,
        signal,
      });
      const startedAt = new Date();
      const backupId = backupIdFor(startedAt, envelope.id);
      makeLocalBackup(policy.localDir, backupId, (await findAccount(AGENT_ACCOUNT)).gid);
      const { bavail, bsize } = statfsSync(policy.localDir);
      // A compressed dump is smaller than the database; half of it is what we have seen at most.
      if (bavail * bsize < Number(size) / 2) {
        throw new LamplighterError(
          'unavailable',
          `back up ${database}: ${bavail * bsize} bytes free under ${policy.localDir}, the database has ${size}`,
        );
      }
      return { data: { backupId, startedAt: startedAt.toISOString() }, detail: backupId };
    },
    undo: (context) => {
      const data = Prepared.safeParse(context.data.get('prepare'));
      if (data.success) removeLocalBackup(policy.localDir, data.data.backupId);
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
      const { tar, missing } = await readConfiguration(configPaths);
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

async function writeManifest(terms: BackupTerms, context: StepContext): Promise<BackupManifest> {
  const { backupId, startedAt } = prepared(context);
  const { part, tables, serverVersion } = DumpResult.parse(context.data.get('database'));
  const version = await runChecked({
    file: postgresProgram('pg_dump'),
    args: ['--version'],
    timeoutMs: 10_000,
  });
  return BackupManifest.parse({
    v: 1,
    backupId,
    commandId: context.envelope.id,
    host: terms.host,
    database: terms.database,
    serverVersion,
    pgDumpVersion: version.trim(),
    startedAt,
    finishedAt: new Date().toISOString(),
    parts: [part, ...['globals', 'config'].map((name) => BackupPart.parse(context.data.get(name)))],
    tables,
  });
}

function manifestStep(terms: BackupTerms): Step {
  return {
    name: 'manifest',
    describe: () => "write the manifest, signed with the runner's key, last",
    run: async (context) => {
      const manifest = await writeManifest(terms, context);
      const payload = Buffer.from(JSON.stringify(manifest));
      const { signer, signal } = context;
      const text = encodeDsse('manifest', {
        payload,
        signature: await signer.sign('manifest', payload),
        keyId: signer.keyId,
      });
      const object = backupObject(terms.host, manifest.backupId, MANIFEST_FILE);
      await uploadBytes(Buffer.from(text), { bucket: terms.policy.bucket, object, signal });
      writeDurably(
        join(localBackupDir(terms.policy.localDir, manifest.backupId), MANIFEST_FILE),
        text,
        0o600,
      );
      return { data: summarise(manifest, object) };
    },
  };
}

function summarise(manifest: BackupManifest, manifestObject: string): BackupSummary {
  return {
    backupId: manifest.backupId,
    database: manifest.database,
    bytes: manifest.parts.reduce((sum, { bytes }) => sum + bytes, 0),
    tables: manifest.tables.length,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
    durationMs: Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt),
    manifestObject,
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
          note(`could not remove ${backupId}: ${error instanceof Error ? error.message : String(error)}`);
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
  return { host, database, cluster, localRetentionDays, policy: policy.backup };
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
      result: ({ data }) => data.get('manifest'),
      // A dump that was cut off can't be gone on with; once the manifest is there, all is.
      afterCrash: (step) => (step === 'retention' ? 'go-on' : 'undo'),
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
