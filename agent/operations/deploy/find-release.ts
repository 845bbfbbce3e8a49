// The first step of a deploy: what the ref is, and how things stand before anything changes.
import { ReleaseId } from '#shared/names.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import { type DeployOptions, Found } from './options.ts';
import { readCurrent, releaseAt } from './place.ts';
import { readRecord } from './release-record.ts';
import { fetchMirror, haveSameFiles, resolveRef, subjectOf } from './source.ts';
import { readUnitsBefore } from './units.ts';

/** The id of a release that is made now. */
export function releaseIdFor(at: Date, commit: string): ReleaseId {
  const second = at.toISOString().replace(/[-:]|\.\d+/g, '');
  return ReleaseId.parse(`${second}-${commit.slice(0, 8)}`);
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
      const release = releaseIdFor(new Date(), commit);
      return {
        data: { release, ref, commit, subject, isThere: false, before, migrates, units },
        detail: `${ref} is ${commit.slice(0, 8)} "${subject}"${migrates ? '; its migration is to run' : ''}`,
      };
    },
    afterCrash: 'undo',
  });
}
