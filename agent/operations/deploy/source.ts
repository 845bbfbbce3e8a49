// The repository: a bare mirror on the host, of the deployment's account, that is brought up to date and asked.
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { CommitHash } from '#shared/names.ts';
import { HAS_ACCOUNTS } from '../../config/paths.ts';
import { findAccount } from '../../host/accounts.ts';
import {
  askGit,
  containsArguments,
  fetchArguments,
  type GitRun,
  gitEnvironment,
  resolveArguments,
  runGit,
  sameFilesArguments,
} from '../../host/git.ts';
import type { Account } from '../../host/process.ts';
import type { DeployOptions } from './options.ts';
import { makePlaces } from './place.ts';

const ASK_TIMEOUT_MS = 60_000;

/** The deployment's account. Throws `refused` when it is root's: the policy names accounts, and uid 0 may have two names. */
export async function deployAccount({ terms }: DeployOptions): Promise<Account> {
  const account = await findAccount(terms.account);
  if (!HAS_ACCOUNTS || account.uid !== 0) return account;
  throw new LamplighterError('refused', `deploy as ${terms.account}: the account is root`, {
    hint: 'Name an account without rights of its own in the policy.',
  });
}

/** How git is run on the mirror. */
export async function gitRun(options: DeployOptions, signal: AbortSignal): Promise<GitRun> {
  const { terms, place } = options;
  return {
    account: await deployAccount(options),
    env: gitEnvironment(terms.git, place.settings),
    timeoutMs: ASK_TIMEOUT_MS,
    signal,
  };
}

/** Makes the mirror where it is missing, and fetches. Throws `failed` with what git said. */
export async function fetchMirror(options: DeployOptions, signal: AbortSignal): Promise<void> {
  const { terms, place } = options;
  const run = { ...(await gitRun(options, signal)), timeoutMs: terms.programTimeoutMs };
  makePlaces(place, terms.git, run.account);
  // Harmless on one that is there; one that was cut short is completed.
  await runGit(['init', '--quiet', '--bare', '--template=', '--', place.mirror], run);
  await runGit(fetchArguments(place.mirror, terms.git.remote), run).catch((cause: unknown) => {
    throw new LamplighterError('failed', `fetch ${terms.git.remote}: ${messageOf(cause)}`, {
      cause,
      hint: `Try it on the host as ${terms.account}: git ls-remote ${terms.git.remote}`,
    });
  });
}

async function commitAt(options: DeployOptions, name: string, run: GitRun): Promise<string | undefined> {
  const { code, stdout } = await askGit(resolveArguments(options.place.mirror, name), run);
  return code === 0 ? CommitHash.parse(stdout.trim()) : undefined;
}

/** A commit by its hash, if a branch or a tag has it: what was taken out of the repository is not deployed. */
async function commitByHash(options: DeployOptions, ref: string, run: GitRun): Promise<string | undefined> {
  if (!/^[0-9a-f]{7,64}$/.test(ref)) return undefined;
  const commit = await commitAt(options, ref, run);
  if (commit === undefined) return undefined;
  const { code, stdout } = await askGit(containsArguments(options.place.mirror, commit), run);
  return code === 0 && stdout.trim() !== '' ? commit : undefined;
}

/**
 * The commit that a tag, a branch or a commit's hash names in the mirror. Throws `not-found` when none does, `invalid-input`
 * when a tag and a branch of that name differ.
 */
export async function resolveRef(options: DeployOptions, ref: string, signal: AbortSignal): Promise<string> {
  const run = await gitRun(options, signal);
  const tag = await commitAt(options, `refs/tags/${ref}`, run);
  const branch = await commitAt(options, `refs/heads/${ref}`, run);
  const task = `find ref ${ref}`;
  if (tag !== undefined && branch !== undefined && tag !== branch) {
    throw new LamplighterError('invalid-input', `${task}: a tag and a branch have this name, and differ`, {
      hint: `Give the commit: ${tag} is the tag, ${branch} the branch.`,
    });
  }
  const commit = tag ?? branch ?? (await commitByHash(options, ref, run));
  if (commit !== undefined) return commit;
  throw new LamplighterError(
    'not-found',
    `${task}: ${options.terms.git.remote} has no such tag, branch or commit`,
    {
      hint: 'The remote is fetched each time: push the ref first.',
    },
  );
}

/** The first line of a commit's message. */
export async function subjectOf(
  options: DeployOptions,
  commit: string,
  signal: AbortSignal,
): Promise<string> {
  const args = [`--git-dir=${options.place.mirror}`, 'show', '--no-patch', '--format=%s', commit, '--'];
  return (await runGit(args, await gitRun(options, signal))).trim().slice(0, 200);
}

/** True when two commits have the same files at these paths; false also when one of them is no longer known. */
export async function haveSameFiles(
  options: DeployOptions,
  commits: readonly [string, string],
  paths: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const args = sameFilesArguments(options.place.mirror, commits, paths);
  const { code } = await askGit(args, {
    ...(await gitRun(options, signal)),
    directory: options.place.mirror,
  });
  return code === 0;
}
