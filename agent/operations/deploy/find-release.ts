// The first step of a deploy: what the ref is, and how things stand before anything changes.
import { idStamp, idTimeMs, ReleaseId } from '#shared/names.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import { type DeployOptions, Found } from './options.ts';
import { listReleases, readCurrent, releaseAt } from './place.ts';
import { readRecord } from './release-record.ts';
import { fetchMirror, haveSameFiles, resolveRef, subjectOf } from './source.ts';
import { readUnitsBefore } from './units.ts';

/** The id of a release that is made now. */
export function releaseIdFor(at: Date, commit: string): ReleaseId {
  return ReleaseId.parse(`${idStamp(at)}-${commit.slice(0, 8)}`);
}

/**
 * The time for a new release's id: now, or a second after the newest release there is, so that ids sort as the releases were
 * made, also when two are made in one second or the clock was set back. `releases` are sorted.
 */
export function releaseTime(now: Date, releases: readonly ReleaseId[]): Date {
  const newest = releases.at(-1);
  if (newest === undefined) return now;
  const nextMs = idTimeMs(newest) + 1000;
  // The id has whole seconds.
  return now.getTime() >= nextMs ? now : new Date(nextMs);
}

/** git's own name for a tree without files, by the length of its hashes. */
const EMPTY_TREES = new Map([
  [40, '4b825dc642cb6eb9a060e54bf8d69288fbee4904'],
  [64, '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321'],
]);

/** Whether the migration is to run: when its files differ from those of the live release, or nobody can tell. */
async function isMigrationDue(
  options: DeployOptions,
  commit: string,
  before: string | null,
  signal: AbortSignal,
): Promise<boolean> {
  const { migrate } = options.terms.git;
  if (!migrate) return false;
  if (migrate.paths.length === 0) return true;
  const live = releaseAt(options.place, before);
  const record = live === undefined ? undefined : readRecord(options.place, live);
  const base = record?.commit ?? EMPTY_TREES.get(commit.length) ?? commit;
  return !(await haveSameFiles(options, [base, commit], migrate.paths, signal));
}

/** Fetches, finds the commit of a ref, and chooses the release's id. */
export function findRefStep(options: DeployOptions, ref: string): Step<Found> {
  const { spec, terms, place } = options;
  return defineStep({
    name: 'find-release',
    describe: () => `as ${terms.account}: git fetch ${terms.git.remote}, and find the commit of ${ref}`,
    output: Found,
    run: async ({ signal }) => {
      const before = readCurrent(place);
      const units = await readUnitsBefore(spec.services);
      await fetchMirror(options, signal);
      const commit = await resolveRef(options, ref, signal);
      const subject = await subjectOf(options, commit, signal);
      const migrates = await isMigrationDue(options, commit, before, signal);
      const release = releaseIdFor(releaseTime(new Date(), listReleases(place)), commit);
      return {
        data: { release, ref, commit, subject, isThere: false, before, migrates, units },
        detail: `${ref} is ${commit.slice(0, 8)} "${subject}"${migrates ? '; its migration is to run' : ''}`,
      };
    },
    afterCrash: 'undo',
  });
}
