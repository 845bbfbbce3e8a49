// restore.run: checked first, restored beside the old database, swapped by rename; whatever fails, everything is put back
// and the services run again.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { BackupManifest } from '#shared/backup/manifest.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { restoreRun } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { awaitHealthy } from '../host/health.ts';
import { type Cluster, runSql } from '../host/postgres.ts';
import { controlUnit } from '../host/systemd.ts';
import type { Step, StepContext } from '../runner/steps.ts';
import {
  admitSessions,
  checkRows,
  copyProperties,
  createFreshDatabase,
  dropFreshDatabase,
  fillDatabase,
  isSwapped,
  type RestoreNames,
  restoreNames,
  swapBack,
  swapDatabases,
} from './restore-database.ts';
import { databasePart, findBackup, needRoom } from './restore-source.ts';
import type { HostContext, Plan } from './twin.ts';

/** Only for what systemd itself gives no limit (TimeoutStopSec=infinity): its own word on a unit comes first. */
const UNIT_TIMEOUT_MS = 30 * 60_000;

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

function checkBackupStep(terms: RestoreTerms): Step {
  const { spec, host, policy, cluster } = terms;
  const { backupId, database, confirm } = spec;
  return {
    name: 'check-backup',
    describe: () => `check signature and hashes of ${backupId}, and the room on the disk`,
    run: async ({ signal, note }) => {
      if (confirm !== database) {
        throw new LamplighterError('refused', `restore ${database}: not confirmed`, {
          details: { outcome: 'confirmation-missing' },
        });
      }
      const { bucket, localDir } = policy;
      const wanted = { host, database, backupId, bucket, localDir, workDir: workDirOf(terms), signal };
      const { manifest, dumpFile, from } = await findBackup(wanted, note);
      const [dataDir = '/var/lib/postgresql'] = await runSql('SHOW data_directory;', {
        cluster,
        database: 'postgres',
        signal,
      });
      const content = databasePart(manifest);
      needRoom(dataDir, content.contentBytes, `restore ${database}`);
      return { data: { manifest, dumpFile }, detail: `from ${from}` };
    },
    undo: () => Promise.resolve(removeWorkDir(terms)),
  };
}

/** For what is fetched from the bucket; removed at the end, whatever the end is. */
function workDirOf({ policy, names }: RestoreTerms): string {
  return join(policy.localDir, `.${names.fresh}`);
}

function removeWorkDir(terms: RestoreTerms): void {
  rmSync(workDirOf(terms), { recursive: true, force: true });
}

/** All of them are tried; throws `unhealthy` with those that do not run. */
async function startServices({ spec }: RestoreTerms, signal: AbortSignal): Promise<void> {
  const failures: string[] = [];
  for (const { unit, health } of spec.services.toReversed()) {
    try {
      await controlUnit('start', unit, UNIT_TIMEOUT_MS, signal);
      await awaitHealthy(unit, health, signal);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  if (failures.length === 0) return;
  throw new LamplighterError('failed', failures.join('; '), { details: { outcome: 'unhealthy' } });
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
      const { manifest, dumpFile } = checked(context);
      const { contentSha256 } = await fillDatabase(cluster, names.fresh, dumpFile, context.signal);
      const expected = databasePart(manifest);
      // Between the check and now the file may have been changed: what went in is what counts.
      if (contentSha256 !== expected.contentSha256) {
        throw new LamplighterError(
          'corrupt',
          `restore ${names.fresh}: the dump is not what the manifest says`,
          {
            details: { outcome: 'corrupt-backup' },
          },
        );
      }
      return { detail: `${expected.contentBytes} bytes` };
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
      await copyProperties(cluster, names);
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
      await admitSessions(terms.cluster, terms.names);
      await startServices(terms, signal);
      return {};
    },
    // Stopped again, so that the old database can be put back under them.
    undo: ({ signal }) => stopServices(terms, signal),
  };
}

function cleanUpStep(terms: RestoreTerms): Step {
  return {
    name: 'clean-up',
    describe: () => 'remove what was fetched from the bucket',
    isRepeatable: true,
    run: ({ note }) => {
      try {
        removeWorkDir(terms);
      } catch (error) {
        // No reason to take a good restore back.
        note(`could not remove ${workDirOf(terms)}: ${messageOf(error)}`);
      }
      return Promise.resolve({});
    },
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
const AFTER_SWAP = new Set(['swap', 'start-services', 'clean-up']);

/** Procedures of the runner. */
export const procedures: Record<string, Plan> = {
  [restoreRun.name]: (input, context) => {
    const terms = restoreTerms(input, context);
    const { spec, names } = terms;
    const makers = [
      checkBackupStep,
      stopStep,
      createStep,
      fillStep,
      checkRowsStep,
      swapStep,
      startStep,
      cleanUpStep,
    ];
    const steps = makers.map((make) => make(terms));
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
