// The steps that make a release beside the live one: checked out, installed, tested. All as the deployment's account.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import type { ProgramArguments } from '#shared/policy/arguments.ts';
import { checkOutArguments, runGit } from '../../host/git.ts';
import { runPolicyProgram } from '../../host/policy-program.ts';
import { runChecked } from '../../host/process.ts';
import { defineStep, type Step, type StepContext } from '../../runner/step.ts';
import type { DeployOptions, Found } from './options.ts';
import { makeReleaseDir, readCurrent, releaseAt, releaseDir } from './place.ts';
import { dropUnlessMigrated, writeRecord } from './release-record.ts';
import { deployAccount, gitRun } from './source.ts';

const REMOVE_TIMEOUT_MS = 10 * 60_000;
const LINK_TIMEOUT_MS = 30_000;

/** coreutils' rm, since it never follows a link that the account puts there meanwhile. */
async function removeTree(path: string): Promise<void> {
  const args = ['-rf', '--one-file-system', '--', path];
  await runChecked({ file: '/bin/rm', args, timeoutMs: REMOVE_TIMEOUT_MS });
}

/** Removes a release's directory. Throws `refused` when it is live. */
export async function removeRelease({ place }: DeployOptions, release: Found['release']): Promise<void> {
  if (releaseAt(place, readCurrent(place)) === release)
    throw new LamplighterError('refused', `remove release ${release}: it is live`);
  await removeTree(releaseDir(place, release));
}

async function makeLinks(options: DeployOptions, directory: string, signal: AbortSignal): Promise<void> {
  const account = await deployAccount(options);
  const run = { account, timeoutMs: LINK_TIMEOUT_MS, signal };
  for (const [name, target] of Object.entries(options.terms.git.links)) {
    const path = join(directory, name);
    await runChecked({ file: '/bin/mkdir', args: ['-p', '--', dirname(path)], ...run });
    await runChecked({ file: '/bin/ln', args: ['-s', '-f', '-T', '--', target, path], ...run });
  }
}

/** Of one checkout: the mirror has no files of its own. */
function indexFile({ place }: DeployOptions, release: Found['release']): string {
  return join(place.mirror, `index-${release}`);
}

/** Puts a commit's files into the release's directory. */
export function checkOutStep(options: DeployOptions, find: Step<Found>): Step<undefined> {
  const { place, terms } = options;
  return defineStep({
    name: 'check-out',
    describe: () =>
      `as ${terms.account}: git checkout of that commit into a new directory of ${place.releases}${describeLinks(options)}`,
    run: async ({ envelope, signal, outputOf }) => {
      const { release, ref, commit, subject, isThere } = outputOf(find);
      if (isThere) return { detail: 'the release is there already' };
      const run = await gitRun(options, signal);
      const made = { at: new Date().toISOString(), by: envelope.actor.name, commandId: envelope.id };
      writeRecord(place, { v: 1, release, ref, commit, subject, made });
      const directory = makeReleaseDir(place, release, run.account);
      const env = { ...run.env, GIT_INDEX_FILE: indexFile(options, release) };
      const timeoutMs = terms.programTimeoutMs;
      await runGit(checkOutArguments(place.mirror, commit, directory), { ...run, env, timeoutMs, directory });
      rmSync(indexFile(options, release), { force: true });
      await makeLinks(options, directory, signal);
      return { detail: directory };
    },
    undo: async ({ outputOf, hasEnded }) => {
      if (!hasEnded(find) || outputOf(find).isThere) return;
      const { release } = outputOf(find);
      rmSync(indexFile(options, release), { force: true });
      await removeRelease(options, release);
      dropUnlessMigrated(place, release);
    },
    afterCrash: 'undo',
  });
}

function describeLinks({ terms }: DeployOptions): string {
  const names = Object.keys(terms.git.links);
  return names.length === 0 ? '' : `, with links for ${names.join(', ')}`;
}

/** What a program of the policy finds in its environment. */
function programEnvironment({ spec, terms, place }: DeployOptions, found: Found): Record<string, string> {
  return {
    ...terms.environment,
    HOME: place.home,
    LAMPLIGHTER_DEPLOYMENT: spec.deployment,
    LAMPLIGHTER_RELEASE: found.release,
    LAMPLIGHTER_REF: found.ref,
    LAMPLIGHTER_COMMIT: found.commit,
  };
}

/** Runs programs of the policy in a release, one after the other. */
export async function runPrograms(
  options: DeployOptions,
  programs: readonly ProgramArguments[],
  found: Found,
  { signal, note }: Pick<StepContext, 'signal' | 'note'>,
): Promise<void> {
  const account = await deployAccount(options);
  for (const argv of programs) {
    note(`run ${argv.join(' ')}`);
    await runPolicyProgram({
      argv,
      account,
      directory: releaseDir(options.place, found.release),
      env: programEnvironment(options, found),
      timeoutMs: options.terms.programTimeoutMs,
      signal,
    });
  }
}

/** Programs as a dry run shows them. */
export function describePrograms({ terms }: DeployOptions, programs: readonly ProgramArguments[]): string {
  return `as ${terms.account}, in the release: ${programs.map((argv) => argv.join(' ')).join('; ')}`;
}

/** The policy's programs that install or test a release; no step where there is none. */
export function programSteps(options: DeployOptions, find: Step<Found>): Step[] {
  const names = ['install', 'test'] as const;
  return names.flatMap((name) => {
    const programs = options.terms.git[name];
    if (programs.length === 0) return [];
    return [
      defineStep({
        name,
        describe: () => describePrograms(options, programs),
        run: async (context) => {
          const found = context.outputOf(find);
          if (found.isThere) return { detail: 'the release is there already' };
          await runPrograms(options, programs, found, context);
          return {};
        },
        afterCrash: 'undo',
      }),
    ];
  });
}
