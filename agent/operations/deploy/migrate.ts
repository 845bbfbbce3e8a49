// The steps of a migration: a backup of the database, then the policy's programs. A migration is never undone; what that means
// is said.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { BackupId } from '#shared/names.ts';
import { defineStep, type Step, type StepContext } from '../../runner/step.ts';
import { type BackupOptions, type BackupSteps, manifestStep } from '../backup/manifest.ts';
import { backupSteps } from '../backup/steps.ts';
import { describePrograms, runPrograms } from './make-release.ts';
import type { DeployOptions, Found } from './options.ts';
import { changeRecord, readRecord } from './release-record.ts';

const BackedUp = z.object({ backupId: BackupId.nullable() });
export type BackedUp = z.infer<typeof BackedUp>;

const NOT_NEEDED = 'no migration: none of its files changed since the live release';

/** A context in which the steps of the backup find what those before them returned. */
function contextWithin(context: StepContext, kept: ReadonlyMap<Step, unknown>): StepContext {
  return {
    ...context,
    hasEnded: (step) => kept.has(step) || context.hasEnded(step),
    // Each step's own `run` gave it.
    outputOf: <T>(step: Step<T>): T => (kept.has(step) ? (kept.get(step) as T) : context.outputOf(step)),
  };
}

function listSteps(options: BackupOptions, makers: BackupSteps): Step[] {
  const { prepare, database, globals, config } = makers;
  return [prepare, database, globals, config, manifestStep(options, makers)];
}

/** The steps of a backup as one of the deploy's: whole or taken back together. The timer uploads it. */
export function backUpStep(options: BackupOptions, find: Step<Found>): Step<BackedUp> {
  const makers = backupSteps(options);
  const steps = listSteps(options, makers);
  return defineStep({
    name: 'back-up',
    describe: () => `back up ${options.database}, if the migration is to run; the host uploads it afterwards`,
    output: BackedUp,
    run: async (context) => {
      if (!context.outputOf(find).migrates) return { data: { backupId: null }, detail: NOT_NEEDED };
      const kept = new Map<Step, unknown>();
      const within = contextWithin(context, kept);
      for (const step of steps) {
        context.note(step.describe());
        kept.set(step, (await step.run(within)).data);
      }
      const { backupId } = within.outputOf(makers.prepare);
      return { data: { backupId }, detail: `backup ${backupId}` };
    },
    // A whole backup stays.
    undo: async (context) => {
      for (const step of steps.toReversed()) await step.undo?.(context);
    },
    afterCrash: 'undo',
  });
}

/** Says what the database is after a migration that stays. */
export function migratedText(database: string, backupId: string | undefined): string {
  const backup = backupId === undefined ? '' : `; the backup ${backupId} was made before it`;
  return `the database ${database} stays as the migration left it${backup}`;
}

function tellMigrated(database: string, backupId: string | undefined): LamplighterError {
  const which = backupId ?? 'ID';
  return new LamplighterError('failed', migratedText(database, backupId), {
    hint: `If the old release does not work with it: lamp restore ${which}. The host uploads the backup within about ten minutes; \`lamp backups\` lists it then.`,
  });
}

/** Runs the policy's migration. */
export function migrateStep(
  options: DeployOptions,
  programs: NonNullable<DeployOptions['terms']['git']['migrate']>,
  { find, backUp, database }: { find: Step<Found>; backUp: Step<BackedUp>; database: string },
): Step<undefined> {
  const { place } = options;
  const where = programs.paths.length === 0 ? 'always' : `if ${programs.paths.join(', ')} changed`;
  return defineStep({
    name: 'migrate',
    describe: () => `${where}: ${describePrograms(options, programs.run)}`,
    run: async (context) => {
      const found = context.outputOf(find);
      if (!found.migrates) return { detail: NOT_NEEDED };
      const { backupId } = context.outputOf(backUp);
      // On the disk before the first program: whatever becomes of this, a rollback knows of it.
      changeRecord(place, found.release, { migration: 'begun', ...(backupId === null ? {} : { backupId }) });
      await runPrograms(options, programs.run, found, context);
      changeRecord(place, found.release, { migration: 'done' });
      return {};
    },
    undo: async ({ outputOf, hasEnded }) => {
      if (!hasEnded(find)) return;
      const record = readRecord(place, outputOf(find).release);
      // Told as what could not be put back, since it is.
      if (record?.migration !== undefined) throw tellMigrated(database, record.backupId);
      await Promise.resolve();
    },
    afterCrash: 'undo',
  });
}
