// backup.run and backup.list.

import * as z from 'zod';
import { hintOf, messageOf } from '#shared/errors.ts';
import { type BackupSummary, backupList, backupRun } from '#shared/operations/backup.ts';
import { defineStep, type Procedure, type Shortfall, type Step, type StepContext } from '../runner/step.ts';
import { type BackupOptions, manifestStep, type Prepared, readSummary } from './backup/manifest.ts';
import { retentionStep } from './backup/retention.ts';
import { backupOptions, backupSteps } from './backup/steps.ts';
import { listLocalBackups, localBackup } from './backup/store.ts';
import { uploadBackup } from './backup/upload.ts';
import { defineProcedure, defineRead } from './twin.ts';

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

/** A dump that was cut off can't be continued: up to the manifest, a crash undoes everything. */
function planBackup(options: BackupOptions): Procedure<BackupSummary> {
  const makers = backupSteps(options);
  const { prepare, database, globals, config } = makers;
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
