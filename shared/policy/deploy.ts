// The policy's `deployments`: how a product is fetched, installed, tested and put in place on this host. The programs, the
// repository and the account are root's word; a command gives only a ref.
import * as z from 'zod';
import { AbsolutePath, EntryName } from '../names.ts';
import { ProgramArguments } from './arguments.ts';

const Programs = z.array(ProgramArguments).max(20).default([]);

/** useradd(8); `root` is refused where an account is named. */
const AccountName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'an account is a name of this host, such as app');

/** git hands what holds it to a shell: nothing that a shell would read. */
const PlainPath = AbsolutePath.regex(/^[A-Za-z0-9._/-]+$/, 'this path has only letters, digits and ._-/');

function isRemote(text: string): boolean {
  if (AbsolutePath.safeParse(text).success) return !/\p{Cc}/u.test(text);
  const url = URL.parse(text);
  if (!url || /[\s\\'"]/.test(text) || url.password !== '' || url.search !== '' || url.hash !== '')
    return false;
  if (url.protocol === 'https:') return url.username === '';
  return url.protocol === 'ssh:' && /^[a-z_][a-z0-9_-]*$/.test(url.username) && !url.hostname.startsWith('-');
}

const REMOTE_RULE =
  'a remote is https:// without a user or password, ssh://user@host/path, or the absolute path of a repository';

/** A name below the release: no `..`, and nothing that begins with `-`. */
const InRelease = z
  .string()
  .max(1024)
  .regex(
    /^(?!-)(?!\.{1,2}(\/|$))[^/\0]+(\/(?!\.{1,2}(\/|$))[^/\0]+)*$/,
    'a path below the release, without ".."',
  );

const Migrate = z.lazy(() =>
  z.strictObject({
    run: z.array(ProgramArguments).min(1).max(20),
    /** The migration runs, after a backup, only when one of these changed since the live release; without any, always. */
    paths: z.array(InRelease).max(20).default([]),
  }),
);

const GitStrategy = z.lazy(() =>
  z.strictObject({
    remote: z.string().max(1000).refine(isRemote, REMOTE_RULE),
    /** Private key for an ssh remote, readable by the account. */
    sshKey: PlainPath.optional(),
    /** The remote's host keys, as ssh-keyscan(1) writes them; without it those of the account. */
    knownHosts: PlainPath.optional(),
    /** Credentials for an https remote, as git-credential-store(1) has them, readable by the account. */
    credentialFile: PlainPath.optional(),
    /** What may be deployed, `*` for any characters: `v*`, `main`. Without it whatever the repository has. */
    allowRefs: z.array(z.string().min(1).max(200)).min(1).max(50).optional(),
    /** Root's directory; each release is a directory of the account's in it. */
    releases: AbsolutePath,
    /** The symbolic link that services run from; its directory is root's. */
    current: AbsolutePath,
    /** So many releases stay, the live one and the one before always among them. */
    keep: z.int().min(2).max(50).default(5),
    /** Made in each release before anything runs in it: files and directories that outlive releases. */
    links: z.record(InRelease, AbsolutePath).default({}),
    install: Programs,
    test: Programs,
    migrate: Migrate.optional(),
  }),
);
export type GitStrategy = z.infer<typeof GitStrategy>;

/** The policy's terms of one deployment. */
const HostDeployment = z.lazy(() =>
  z.strictObject({
    /** Fetches, installs, tests and migrates. */
    account: AccountName.refine((name) => name !== 'root', 'code from a repository does not run as root'),
    git: GitStrategy,
    /** Given to each program besides HOME, PATH and the release's names. No secrets: whoever reads the policy sees them. */
    environment: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/), z.string().max(4096)).default({}),
    /** For each program. */
    programTimeoutMs: z
      .int()
      .min(1000)
      .max(6 * 60 * 60_000)
      .default(30 * 60_000),
  }),
);
export type HostDeployment = z.infer<typeof HostDeployment>;

export const HostDeployments = z.lazy(() => z.record(EntryName, HostDeployment).default({}));

/** True when the host allows the ref to be deployed. */
export function isRefAllowed(ref: string, { allowRefs }: GitStrategy): boolean {
  return allowRefs === undefined || allowRefs.some((pattern) => matches(ref, pattern));
}

function matches(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const [i, part] of rest.entries()) {
    const isLast = i === rest.length - 1;
    const found = isLast ? text.length - part.length : text.indexOf(part, at);
    if (found < at || !text.startsWith(part, found)) return false;
    at = found + part.length;
  }
  return at === text.length;
}
