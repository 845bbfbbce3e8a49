// deploy.*: a release is made beside the live one, tested, and put in place by one rename; whatever fails, the link leads back
// and the services run on the old release again.
import type * as z from 'zod';
import { type Deployed, deployRun } from '#shared/operations/deploy.ts';
import type { Procedure, Step } from '../runner/step.ts';
import { findRefStep } from './deploy/find-release.ts';
import { pruneStep, restartStep, switchStep } from './deploy/go-live.ts';
import { checkOutStep, programSteps } from './deploy/make-release.ts';
import { type BackedUp, backUpStep, migrateStep } from './deploy/migrate.ts';
import { type DeployOptions, deployOptions, type Found } from './deploy/options.ts';
import { defineProcedure } from './twin.ts';

interface MigrationSteps {
  steps: Step[];
  backUp?: Step<BackedUp>;
}

function migrationSteps(options: DeployOptions, find: Step<Found>): MigrationSteps {
  const { backup, terms } = options;
  const { migrate } = terms.git;
  if (!backup || !migrate) return { steps: [] };
  const backUp = backUpStep(backup, find);
  const { database } = backup;
  return { steps: [backUp, migrateStep(options, migrate, { find, backUp, database })], backUp };
}

/** Up to the switch a crash takes everything back; from then on the new release is live, and the deploy goes on. */
function planDeploy(options: DeployOptions, ref: string): Procedure<Deployed> {
  const find = findRefStep(options, ref);
  const { steps: migration, backUp } = migrationSteps(options, find);
  return {
    steps: [
      find,
      checkOutStep(options, find),
      ...programSteps(options, find),
      ...migration,
      switchStep(options, find),
      restartStep(options),
      pruneStep(options, find),
    ],
    result: ({ outputOf }) => {
      const { release, commit, before, migrates } = outputOf(find);
      const backupId = backUp === undefined ? null : outputOf(backUp).backupId;
      return {
        deployment: options.spec.deployment,
        release,
        ref,
        commit,
        before,
        migrated: migrates,
        ...(backupId === null ? {} : { backupId }),
        restarted: options.spec.services.map(({ unit }) => unit),
      };
    },
  };
}

export const twins = [
  defineProcedure(deployRun, ({ ref, ...spec }: z.infer<typeof deployRun.spec>, context) =>
    planDeploy(deployOptions(spec, context), ref),
  ),
];
