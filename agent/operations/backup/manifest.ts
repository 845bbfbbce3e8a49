// The manifest of a backup: composed of what the steps before found, signed, and published last.
import * as z from 'zod';
import {
  BackupManifest,
  BackupPart,
  backupObject,
  isDumpEncrypted,
  MANIFEST_FILE,
} from '#shared/backup/manifest.ts';
import { BackupId } from '#shared/names.ts';
import type { BackupSummary } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { signDsse } from '#shared/signing/dsse.ts';
import type { Cluster } from '../../host/postgres.ts';
import { DatabaseFacts } from '../../host/postgres-properties.ts';
import { defineStep, type Step, type StepContext } from '../../runner/step.ts';
import type { DumpResult } from './dump.ts';
import { readLocalManifest } from './read-manifest.ts';
import { isPublished, localBackup, publishLocally, writeUnpublished } from './store.ts';

/** What one backup is made from. */
export interface BackupOptions {
  host: string;
  database: string;
  cluster: Cluster;
  localRetentionDays: number;
  isEncrypted: boolean;
  policy: NonNullable<Policy['backup']>;
}

/** What the first step found and made. */
export const Prepared = z.object({
  backupId: BackupId,
  startedAt: z.string(),
  pgDumpVersion: z.string(),
  ...DatabaseFacts.shape,
});
export type Prepared = z.infer<typeof Prepared>;

/** What the step of the configuration leaves: its part, and the paths that it left out. */
export const ConfigResult = z.object({ part: BackupPart, leftOut: z.array(z.string()) });
export type ConfigResult = z.infer<typeof ConfigResult>;

/** The steps that make what a manifest names. */
export interface BackupSteps {
  prepare: Step<Prepared>;
  database: Step<DumpResult>;
  globals: Step<BackupPart>;
  config: Step<ConfigResult>;
}

function composeManifest(options: BackupOptions, steps: BackupSteps, context: StepContext): BackupManifest {
  const { outputOf } = context;
  const { backupId, startedAt, databaseBytes, properties, serverVersion, pgDumpVersion } = outputOf(
    steps.prepare,
  );
  const { part, tables } = outputOf(steps.database);
  return BackupManifest.parse({
    v: 1,
    backupId,
    commandId: context.envelope.id,
    host: options.host,
    database: options.database,
    serverVersion,
    pgDumpVersion,
    databaseBytes,
    properties,
    startedAt,
    finishedAt: new Date().toISOString(),
    parts: [part, outputOf(steps.globals), outputOf(steps.config).part],
    tables,
  });
}

/** The last step that a backup needs: with it, the local copy counts. */
export function manifestStep(options: BackupOptions, steps: BackupSteps): Step<undefined> {
  return defineStep({
    name: 'manifest',
    describe: () => "write the manifest, signed with the runner's key, last",
    run: async (context) => {
      const manifest = composeManifest(options, steps, context);
      const payload = Buffer.from(JSON.stringify(manifest));
      const signed = await signDsse('manifest', payload, [context.signer]);
      const backup = localBackup(options.policy.localDir, manifest.backupId);
      writeUnpublished(backup, JSON.stringify(signed));
      publishLocally(backup);
      return {};
    },
    // Once the manifest is there, the backup is whole.
    afterCrash: 'ask',
    probe: ({ outputOf }) => {
      const backup = localBackup(options.policy.localDir, outputOf(steps.prepare).backupId);
      return Promise.resolve(isPublished(backup) ? 'done' : 'not-done');
    },
  });
}

/** The result, from the manifest as it stands on the disk: after a crash nobody remembers what the step returned. */
export function readSummary(
  options: BackupOptions,
  { prepare, config }: BackupSteps,
  { outputOf }: StepContext,
): BackupSummary {
  const { backupId } = outputOf(prepare);
  const { manifest } = readLocalManifest(localBackup(options.policy.localDir, backupId));
  const { leftOut } = outputOf(config);
  return {
    ...summarise(manifest, backupObject(options.host, backupId, MANIFEST_FILE)),
    // A control plane of an older version knows no such field.
    ...(leftOut.length > 0 ? { leftOut } : {}),
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
    isEncrypted: isDumpEncrypted(manifest),
  };
}
