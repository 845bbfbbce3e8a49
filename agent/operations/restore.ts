// restore.run: checked first, restored beside the old database, swapped by rename; whatever fails, everything is put back
// and the services run again.

import * as z from 'zod';
import { BackupManifest } from '#shared/backup/manifest.ts';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { messageOf } from '#shared/errors.ts';
import { restoreRun } from '#shared/operations/backup.ts';
import { PATHS } from '../config/paths.ts';
import { awaitHealthy } from '../host/health.ts';
import { programsFor } from '../host/postgres.ts';
import { controlUnit } from '../host/systemd.ts';
import { defineStep, type Procedure, type Step } from '../runner/step.ts';
import { backupSectionOf, clusterOf } from './policy-database.ts';
import {
  admitSessions,
  dropDatabase,
  isClosed,
  isSwapped,
  restoreNames,
  swapBack,
  swapDatabases,
} from './restore/database.ts';
import type { OpenDump } from './restore/dump.ts';
import { refuseMixedPartitions } from './restore/joins.ts';
import { recordKept, unrecordKept } from './restore/kept.ts';
import { findLimits, refuseLimits } from './restore/limits.ts';
import { findNeeds, tablespacesOf } from './restore/needs.ts';
import { refuseObstacles } from './restore/obstacles.ts';
import { foundBy, openState, type RestoreOptions } from './restore/options.ts';
import { planRestore } from './restore/plan.ts';
import { applyProperties, createFreshDatabase } from './restore/properties.ts';
import { dropRestoreRoles, makeRestoreRoles } from './restore/role.ts';
import { needRestoreRoom } from './restore/room.ts';
import { findBackup } from './restore/source.ts';
import { findStandings } from './restore/standing.ts';
import { fillSteps, readOutcome } from './restore/steps.ts';
import { recordWorkDir, removeWorkDir } from './restore/work.ts';
import { defineProcedure, type HostContext } from './twin.ts';

/** Only for units without a limit in systemd (TimeoutStopSec=infinity): systemd's own limits come first. */
const UNIT_TIMEOUT_MS = 30 * 60_000;

const Checked = z.object({ manifest: BackupManifest, wasClosed: z.boolean().default(false) });
type Checked = z.infer<typeof Checked>;

/** What PostgreSQL would refuse in the middle of the restore. */
async function refuseWhatCannotBe(
  { cluster, spec, state }: RestoreOptions,
  { entries }: OpenDump,
  note: (text: string) => void,
): Promise<void> {
  const standings = await findStandings(cluster, { entries });
  const { standingOf } = standings;
  state.standingOf = standingOf;
  refuseMixedPartitions(entries, standingOf);
  const serverMajor = state.programs?.serverMajor ?? 0;
  const { missing, powers } = await findNeeds(cluster, spec.database, { entries, serverMajor }, note);
  const limits = findLimits(entries, planRestore(entries, standingOf), {
    ...powers,
    ...standings,
    serverMajor,
  });
  refuseLimits([...missing, ...limits], spec.onRefused, note);
}

function checkBackupStep(options: RestoreOptions): Step<Checked> {
  const { spec, host, policy, cluster, state } = options;
  const { backupId, database, confirm } = spec;
  return defineStep({
    name: 'check-backup',
    describe: () =>
      `check signature and hashes of ${backupId}, its roles, the room on the disk, and what could keep ${database} from being replaced`,
    output: Checked,
    run: async ({ envelope, signal, note }) => {
      if (confirm !== database) {
        throw new OperationFailure('confirmation-missing', 'refused', `restore ${database}: not confirmed`, {
          hint: `Confirm the restore with the name of the database: ${database}.`,
        });
      }
      state.programs = await programsFor(cluster, signal);
      const { bucket, localDir, identityFile = PATHS.ageIdentity } = policy;
      const workDir = recordWorkDir(PATHS.work, envelope.id, localDir);
      const place = { bucket, localDir, identityFile, workDir };
      const wanted = { host, database, backupId, ...place, signal };
      const { manifest, dump, from } = await findBackup(wanted, note);
      state.dump = dump;
      await refuseObstacles(cluster, database, manifest.properties);
      await refuseWhatCannotBe(options, dump, note);
      const { databaseBytes, properties } = manifest;
      state.reserves = await needRestoreRoom(cluster, {
        database,
        tablespace: properties.tablespace,
        bytes: databaseBytes,
        hasIndexes: dump.entries.some(({ kind }) => kind === 'INDEX' || kind === 'CONSTRAINT'),
        others: tablespacesOf(dump.entries),
      });
      const wasClosed = await isClosed(cluster, database);
      if (wasClosed)
        note(
          `${database} allows no connections (ALLOW_CONNECTIONS false); if it is put back, it still allows none`,
        );
      return { data: { manifest, wasClosed }, detail: `from ${from}` };
    },
    undo: ({ envelope }) => {
      state.dump?.close();
      removeWorkDir(PATHS.work, envelope.id);
      return Promise.resolve();
    },
    afterCrash: 'undo',
  });
}

/** Made before anything stops: whether it can log in shows here. */
function rolesStep({ cluster, state }: RestoreOptions): Step<undefined> {
  return defineStep({
    name: 'restore-roles',
    describe: () => 'make the roles of the restore, which are no superusers, and log in as one',
    run: async () => {
      await makeRestoreRoles(cluster, await state.login());
      return {};
    },
    undo: () => dropRestoreRoles(cluster),
    afterCrash: 'undo',
  });
}

/** All of them are tried; throws `unhealthy` with those that do not run. */
async function startServices({ spec }: RestoreOptions, signal: AbortSignal): Promise<void> {
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
  throw new OperationFailure('unhealthy', 'failed', failures.join('; '));
}

async function stopServices({ spec }: RestoreOptions, signal: AbortSignal): Promise<void> {
  for (const { unit } of spec.services) await controlUnit('stop', unit, UNIT_TIMEOUT_MS, signal);
}

function stopStep(options: RestoreOptions): Step<undefined> {
  const units = options.spec.services.map(({ unit }) => unit);
  return defineStep({
    name: 'stop-services',
    describe: () => `systemctl stop ${units.join(' ')}, in this order`,
    run: async ({ signal }) => {
      await stopServices(options, signal);
      return {};
    },
    undo: ({ signal }) => startServices(options, signal),
    afterCrash: 'undo',
  });
}

function createStep(options: RestoreOptions, check: Step<Checked>): Step<undefined> {
  const { names, cluster } = options;
  return defineStep({
    name: 'create-database',
    describe: () => `CREATE DATABASE ${names.fresh}, with the encoding and locale that the backup names`,
    run: async ({ outputOf }) => {
      const { properties } = outputOf(check).manifest;
      await createFreshDatabase(cluster, names.fresh, properties, foundBy(options).programs.serverMajor);
      return { detail: names.fresh };
    },
    undo: () => dropDatabase(cluster, names.fresh),
    afterCrash: 'undo',
  });
}

function swapStep({ names, cluster }: RestoreOptions, check: Step<Checked>): Step<undefined> {
  return defineStep({
    name: 'swap',
    describe: () =>
      `rename ${names.database} to ${names.kept} and ${names.fresh} to ${names.database}, in one transaction`,
    run: async ({ outputOf }) => {
      const { manifest, wasClosed } = outputOf(check);
      await applyProperties(cluster, names.fresh, manifest.properties);
      await recordKept(cluster, names);
      await swapDatabases(cluster, { ...names, wasClosed });
      return { detail: `the old database is kept as ${names.kept}` };
    },
    undo: async ({ outputOf }) => {
      await swapBack(cluster, { ...names, wasClosed: outputOf(check).wasClosed });
      unrecordKept(names);
    },
    afterCrash: 'ask',
    probe: async () => ((await isSwapped(cluster, names)) ? 'done' : 'not-done'),
  });
}

function startStep(options: RestoreOptions, check: Step<Checked>): Step<undefined> {
  return defineStep({
    name: 'start-services',
    describe: () => 'start the services in the reverse order, each until it is healthy',
    run: async ({ signal, outputOf }) => {
      await admitSessions(options.cluster, { ...options.names, wasClosed: outputOf(check).wasClosed });
      await startServices(options, signal);
      return {};
    },
    // Stopped again, so that the old database can be put back under them.
    undo: ({ signal }) => stopServices(options, signal),
    afterCrash: 'repeat',
  });
}

function cleanUpStep(options: RestoreOptions): Step<undefined> {
  return defineStep({
    name: 'clean-up',
    describe: () => 'remove what was fetched from the bucket, or decrypted',
    run: ({ envelope }) => {
      options.state.dump?.close();
      removeWorkDir(PATHS.work, envelope.id);
      return Promise.resolve({});
    },
    // A good restore stays.
    takesNothingBack: true,
    afterCrash: 'repeat',
  });
}

function restoreOptions(spec: RestoreOptions['spec'], { policy, envelope }: HostContext): RestoreOptions {
  const task = `restore ${spec.database}`;
  return {
    spec,
    host: envelope.host,
    names: restoreNames(spec.database, envelope.id),
    cluster: clusterOf(policy, spec.database, task),
    policy: backupSectionOf(policy, task),
    state: openState(),
  };
}

/** Up to the swap a crash undoes everything; from then on the new database stands, and the restore goes on. */
function planRestoration(options: RestoreOptions): Procedure<z.input<typeof restoreRun.result>> {
  const { spec, names } = options;
  const check = checkBackupStep(options);
  const filling = fillSteps(options);
  return {
    // Steps that need no service stopped come first: making the database shows whether the server has its locale.
    steps: [
      check,
      rolesStep(options),
      createStep(options, check),
      stopStep(options),
      filling.fill,
      filling.compare,
      filling.owners,
      swapStep(options, check),
      startStep(options, check),
      cleanUpStep(options),
    ],
    result: (done) => ({
      backupId: spec.backupId,
      database: spec.database,
      keptAs: names.kept,
      tables: done.outputOf(check).manifest.tables.length,
      ...readOutcome(filling, done),
      durationMs: Math.max(0, Date.now() - Date.parse(done.envelope.issuedAt)),
    }),
  };
}

export const twins = [
  defineProcedure(restoreRun, (spec, context) => planRestoration(restoreOptions(spec, context))),
];
