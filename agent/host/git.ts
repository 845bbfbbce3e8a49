// git: argument arrays, and the settings under which it runs nothing but itself. It runs as the deployment's account; its
// settings stand in a file of root's, since git does not hand those of its command line to what serves a local repository.
import type { GitStrategy } from '#shared/policy/deploy.ts';
import { type Account, type ProgramResult, runChecked, runProgram } from './process.ts';

const GIT = '/usr/bin/git';
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** The schemes by which git may fetch: the one of the remote, and no other that a repository might name. */
export function protocolOf(remote: string): 'file' | 'https' | 'ssh' {
  if (remote.startsWith('/')) return 'file';
  return remote.startsWith('https:') ? 'https' : 'ssh';
}

/**
 * The text of the settings file. A hook, a file system monitor or a submodule would be code of somebody else's; a repository of
 * another account is trusted because root named it.
 */
export function gitSettings({
  remote,
  credentialFile,
}: Pick<GitStrategy, 'remote' | 'credentialFile'>): string {
  const safe = remote.startsWith('/') ? [remote, `${remote}/.git`].map(quoteSetting) : [];
  const helper = credentialFile === undefined ? '' : `store --file=${credentialFile}`;
  return `[core]
\thooksPath = /dev/null
\tfsmonitor = false
[submodule]
\trecurse = false
[fetch]
\trecurseSubmodules = false
[gc]
\tautoDetach = false
[maintenance]
\tautoDetach = false
[credential]
\thelper =
${helper === '' ? '' : `\thelper = ${helper}\n`}[safe]
\tdirectory =
${safe.map((path) => `\tdirectory = ${path}\n`).join('')}`;
}

function quoteSetting(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** git's environment. `home` is where the account may write nothing that git would read. */
export function gitEnvironment(
  { remote, sshKey, knownHosts }: Pick<GitStrategy, 'remote' | 'sshKey' | 'knownHosts'>,
  settingsFile: string,
): Record<string, string> {
  const protocol = protocolOf(remote);
  return {
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: settingsFile,
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_OPTIONAL_LOCKS: '0',
    ...(protocol === 'ssh' ? { GIT_SSH_COMMAND: sshCommand(sshKey, knownHosts) } : {}),
  };
}

/** git has a shell read it: the policy takes only paths without anything that a shell would read. */
function sshCommand(sshKey: string | undefined, knownHosts: string | undefined): string {
  const options = [
    '-F /dev/null',
    '-o BatchMode=yes',
    '-o StrictHostKeyChecking=yes',
    '-o ForwardAgent=no',
    '-o ClearAllForwardings=yes',
    ...(knownHosts === undefined ? [] : [`-o UserKnownHostsFile=${knownHosts}`]),
    ...(sshKey === undefined ? [] : ['-o IdentitiesOnly=yes', `-i ${sshKey}`]),
  ];
  return `/usr/bin/ssh ${options.join(' ')}`;
}

/** Fetches all branches and tags under the names that they have there, and forgets those that are gone. */
export function fetchArguments(mirror: string, remote: string): string[] {
  return [
    `--git-dir=${mirror}`,
    'fetch',
    '--quiet',
    '--force',
    '--prune',
    '--no-write-fetch-head',
    '--',
    remote,
    '+refs/heads/*:refs/heads/*',
    '+refs/tags/*:refs/tags/*',
  ];
}

/** The commit of an exact name. */
export function resolveArguments(mirror: string, name: string): string[] {
  return [`--git-dir=${mirror}`, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
}

/** One of the branches and tags that have a commit; nothing when none has. */
export function containsArguments(mirror: string, commit: string): string[] {
  return [`--git-dir=${mirror}`, 'for-each-ref', '--count=1', `--contains=${commit}`, '--format=%(refname)'];
}

/** Writes a commit's files into an empty directory; the index lies beside the mirror, not among the files. */
export function checkOutArguments(mirror: string, commit: string, directory: string): string[] {
  return [
    `--git-dir=${mirror}`,
    `--work-tree=${directory}`,
    'checkout',
    '--quiet',
    '--force',
    '--no-recurse-submodules',
    commit,
    '--',
    '.',
  ];
}

/** Ends with 0 when two commits have the same files there, with 1 when not. */
export function sameFilesArguments(
  mirror: string,
  commits: readonly [string, string],
  paths: readonly string[],
): string[] {
  const literal = paths.map((path) => `:(top,literal)${path}`);
  return [`--git-dir=${mirror}`, 'diff', '--quiet', '--no-ext-diff', ...commits, '--', ...literal];
}

export interface GitRun {
  account: Account;
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal?: AbortSignal;
  directory?: string;
}

/** Runs git, which must succeed; gives its output. */
export async function runGit(args: readonly string[], run: GitRun): Promise<string> {
  return await runChecked({ file: GIT, args, maxOutputBytes: MAX_OUTPUT_BYTES, hasOwnGroup: false, ...run });
}

/** Runs git, whose exit code is an answer. */
export async function askGit(args: readonly string[], run: GitRun): Promise<ProgramResult> {
  return await runProgram({ file: GIT, args, maxOutputBytes: MAX_OUTPUT_BYTES, ...run });
}
