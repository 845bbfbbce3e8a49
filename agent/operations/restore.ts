// restore.run: checked first, restored beside the old database, swapped by rename; whatever fails, everything is put back
// and the services run again.
import { statfsSync } from 'node:fs';
import { z } from 'zod';
import { BackupManifest } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { restoreRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { awaitHealthy } from '../host/health.ts';
import { type Cluster, runSql } from '../host/postgres.ts';
import { controlUnit } from '../host/systemd.ts';
import type { Step, StepContext } from '../runner/steps.ts';
import {
  checkRows,
  createFreshDatabase,
  dropFreshDatabase,
  fillDatabase,
  isSwapped,
  type RestoreNames,
  restoreNames,
  swapBack,
  swapDatabases,
} from './restore-database.ts';
import { findBackup } from './restore-source.ts';
import type { HostContext, Plan } from './twin.ts';

const UNIT_TIMEOUT_MS = 100_000;

interface RestoreTerms {
  spec: z.infer<typeof restoreRun.spec>;
  host: string;
  names: RestoreNames;
  cluster: Cluster;
  policy: NonNullable<Policy['backup']>;
}

const Checked = z.object({ manifest: BackupManifest, dumpFile: z.string() });

function checked(context: StepContext): z.infer<typeof Checked> {
  return Checked.parse(context.data.get('check-backup'));
}

function checkBackupStep({ spec, host, policy, cluster }: RestoreTerms): Step {
  const { backupId, database, confirm } = spec;
  return {
    name: 'check-backup',
    describe: () => `check signature and hashes of ${backupId}, and the room on the disk`,
    run: async ({ signal }) => {
      if (confirm !== database) {
        throw new LamplighterError('refused', `restore ${database}: not confirmed`, {
          details: { outcome: 'confirmation-missing' },
        });
      }
      const { bucket, localDir } = policy;
      const { manifest, dumpFile, from } = await findBackup({
        host,
        database,
        backupId,
        bucket,
        localDir,
        signal,
      });
      const [dataDir = '/var/lib/postgresql'] = await runSql('SHOW data_directory;', {
        cluster,
        database: 'postgres',
        signal,
      });
      const needed = manifest.parts.find(({ name }) => name === 'database')?.contentBytes ?? 0;
      const { bavail, bsize } = statfsSync(dataDir);
      if (bavail * bsize < needed) {
        throw new LamplighterError(
          'unavailable',
          `restore ${database}: ${bavail * bsize} bytes free under ${dataDir}, the backup holds ${needed}`,
        );
      }
      return { data: { manifest, dumpFile }, detail: `from ${from}` };
    },
  };
}

async function startServices({ spec }: RestoreTerms, signal: AbortSignal): Promise<void> {
  for (const { unit, health } of spec.services.toReversed()) {
    await controlUnit('start', unit, UNIT_TIMEOUT_MS, signal);
    await awaitHealthy(unit, health, signal);
  }
}

async function stopServices({ spec }: RestoreTerms, signal: AbortSignal): Promise<void> {
  for (const { unit } of spec.services) await controlUnit('stop', unit, UNIT_TIMEOUT_MS, signal);
}

function stopStep(terms: RestoreTerms): Step {
  const units = terms.spec.services.map(({ unit }) => unit);
  return {
    name: 'stop-services',
    describe: () => `systemctl stop ${units.join(' ')}, in this order`,
    run: async ({ signal }) => {
      await stopServices(terms, signal);
      return {};
    },
    undo: ({ signal }) => startServices(terms, signal),
  };
}

function createStep({ names, cluster }: RestoreTerms): Step {
  return {
    name: 'create-database',
    describe: () => `CREATE DATABASE ${names.fresh}, like ${names.database}`,
    run: async () => {
      await createFreshDatabase(cluster, names);
      return { detail: names.fresh };
    },
    undo: () => dropFreshDatabase(cluster, names.fresh),
  };
}

function fillStep({ names, cluster }: RestoreTerms): Step {
  return {
    name: 'restore-database',
    describe: () => `zstd -d | pg_restore --exit-on-error into ${names.fresh}`,
    run: async (context) => {
      await fillDatabase(cluster, names.fresh, checked(context).dumpFile, context.signal);
      return {};
    },
  };
}

function checkRowsStep({ names, cluster }: RestoreTerms): Step {
  return {
    name: 'check-rows',
    describe: () =>
      `count the rows of every table in ${names.fresh} and hold them against the manifest; ANALYZE`,
    run: async (context) => {
      const rows = await checkRows(cluster, names.fresh, checked(context).manifest);
      return { data: { rows }, detail: `${rows} rows` };
    },
  };
}

function swapStep({ names, cluster }: RestoreTerms): Step {
  return {
    name: 'swap',
    describe: () =>
      `rename ${names.database} to ${names.kept} and ${names.fresh} to ${names.database}, in one transaction`,
    run: async () => {
      await swapDatabases(cluster, names);
      return { detail: `the old database is kept as ${names.kept}` };
    },
    undo: () => swapBack(cluster, names),
    probe: async () => ((await isSwapped(cluster, names)) ? 'done' : 'not-done'),
  };
}

function startStep(terms: RestoreTerms): Step {
  return {
    name: 'start-services',
    describe: () => 'start the services in the reverse order, each until it is healthy',
    isRepeatable: true,
    run: async ({ signal }) => {
      await startServices(terms, signal);
      return {};
    },
    // Stopped again, so that the old database can be put back under them.
    undo: ({ signal }) => stopServices(terms, signal),
  };
}

function restoreTerms(input: unknown, { policy, envelope }: HostContext): RestoreTerms {
  const spec = restoreRun.spec.parse(input);
  const cluster = policy.databases[spec.database];
  if (!policy.backup || !cluster)
    throw new LamplighterError('refused', `restore ${spec.database}: the policy has no terms for it`);
  return {
    spec,
    host: envelope.host,
    names: restoreNames(spec.database, envelope.id),
    cluster,
    policy: policy.backup,
  };
}

const Rows = z.object({ rows: z.int() });
const AFTER_SWAP = new Set(['swap', 'start-services']);

/** Procedures of the runner. */
export const procedures: Record<string, Plan> = {
  [restoreRun.name]: (input, context) => {
    const terms = restoreTerms(input, context);
    const { spec, names } = terms;
    const steps = [checkBackupStep, stopStep, createStep, fillStep, checkRowsStep, swapStep, startStep].map(
      (make) => make(terms),
    );
    return {
      steps,
      result: (done) => ({
        backupId: spec.backupId,
        database: spec.database,
        keptAs: names.kept,
        tables: checked(done).manifest.tables.length,
        rows: Rows.parse(done.data.get('check-rows')).rows,
        durationMs: Math.max(0, Date.now() - Date.parse(done.envelope.issuedAt)),
      }),
      afterCrash: (step) => (AFTER_SWAP.has(step) ? 'go-on' : 'undo'),
    };
  },
};
