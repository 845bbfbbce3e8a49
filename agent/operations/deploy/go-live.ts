// The steps that make a release live: the link, the services, and what is removed afterwards.
import { messageOf } from '#shared/errors.ts';
import type { ReleaseId } from '#shared/names.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import { removeRelease } from './make-release.ts';
import type { DeployOptions, Found } from './options.ts';
import { listReleases, pointCurrent, readCurrent, releaseAt, releaseDir } from './place.ts';
import { changeRecord, pruneRecords } from './release-record.ts';
import { putUnitsBack, restartUnits } from './units.ts';

/** One rename: from then on whatever starts runs from the new release. Its undo also puts the services back. */
export function switchStep({ spec, place }: DeployOptions, find: Step<Found>): Step<undefined> {
  return defineStep({
    name: 'switch',
    describe: () => `point ${place.current} at the release, in one rename`,
    run: ({ envelope, outputOf }) => {
      const { release, before } = outputOf(find);
      const live = { at: new Date().toISOString(), by: envelope.actor.name, commandId: envelope.id };
      changeRecord(place, release, { live });
      pointCurrent(place, releaseDir(place, release));
      return Promise.resolve({ detail: `${release}, before it ${before ?? 'nothing'}` });
    },
    undo: async ({ signal, outputOf }) => {
      const { release, before, units } = outputOf(find);
      if (releaseAt(place, readCurrent(place)) === release) pointCurrent(place, before);
      await putUnitsBack(spec.services, units, signal);
    },
    afterCrash: 'ask',
    probe: ({ outputOf }) =>
      Promise.resolve(releaseAt(place, readCurrent(place)) === outputOf(find).release ? 'done' : 'not-done'),
  });
}

/** Restarted again after a crash: nobody can tell what a half-started service runs from. */
export function restartStep({ spec }: DeployOptions): Step<undefined> {
  const units = spec.services.map(({ unit }) => unit);
  return defineStep({
    name: 'restart-services',
    describe: () =>
      units.length === 0
        ? 'nothing: the runbook names no services'
        : `systemctl restart ${units.join(', then ')}, each until it is healthy`,
    run: async (context) => {
      await restartUnits(spec.services, context);
      return {};
    },
    afterCrash: 'repeat',
  });
}

/** The oldest releases over `keep`; never the live one, or the one before it. */
export function chooseOldReleases(
  releases: readonly ReleaseId[],
  keep: number,
  stay: readonly (ReleaseId | undefined)[],
): ReleaseId[] {
  return releases
    .toSorted()
    .slice(0, Math.max(0, releases.length - keep))
    .filter((release) => !stay.includes(release));
}

/** Removes old releases; one that can't be removed stays, with a note. */
export function pruneStep(options: DeployOptions, find: Step<Found>): Step<undefined> {
  const { place, terms } = options;
  return defineStep({
    name: 'prune',
    describe: () => `keep the newest ${terms.git.keep} releases in ${place.releases}, remove older ones`,
    run: async ({ outputOf, note }) => {
      const { release, before } = outputOf(find);
      const stay = [release, releaseAt(place, before)];
      const old = chooseOldReleases(listReleases(place), terms.git.keep, stay);
      for (const one of old)
        await removeRelease(options, one).catch((error: unknown) => note(`kept ${one}: ${messageOf(error)}`));
      pruneRecords(place, new Set(listReleases(place)));
      return { detail: `${old.length} removed` };
    },
    takesNothingBack: true,
    afterCrash: 'repeat',
  });
}
