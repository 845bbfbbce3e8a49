// Where things are on a host. The installer makes them; agent and runner find them here.
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { AbsolutePath } from '#shared/names.ts';

/**
 * Where the host's files begin: always `/`, except on a platform without root's rights (the local stack's, under its
 * supervisor), whose files all lie below a directory of its user. Root never takes another root from its environment.
 */
export function hostRoot(given: string | undefined, uid: number | undefined): string {
  if (given === undefined || given === '') return '/';
  if (uid === 0)
    throw new LamplighterError('refused', `use ${given} as the host's root: not when running as root`, {
      hint: 'Unset LAMPLIGHTER_ROOT.',
    });
  return AbsolutePath.parse(given);
}

const ROOT = hostRoot(process.env.LAMPLIGHTER_ROOT, process.getuid?.());

/** False on a platform without root's rights: there is one account, and it owns everything. */
export const HAS_ACCOUNTS = ROOT === '/';

/** A path of the host as this process must name it. */
export function onHost(path: string): string {
  return join(ROOT, path);
}

export const PATHS = {
  program: onHost('/opt/lamplighter'),
  config: onHost('/etc/lamplighter/agent.yaml'),
  policy: onHost('/etc/lamplighter/policy.yaml'),
  pinnedKeys: onHost('/etc/lamplighter/pinned-keys'),
  googleCredentials: onHost('/etc/lamplighter/google-credentials.json'),
  metadataGuard: onHost('/etc/lamplighter/metadata-guard.nft'),
  releaseKey: onHost('/etc/lamplighter/release-key.pem'),
  agentKey: onHost('/etc/lamplighter/agent.key'),
  runnerKey: onHost('/etc/lamplighter/runner.key'),
  /** Where a person puts an identity, when the policy names no other place. */
  ageIdentity: onHost('/etc/lamplighter/age-identity.txt'),
  /** The only directory below which the policy may name another place: the unit of the journal's reader hides it. */
  ageIdentities: onHost('/etc/lamplighter/identities'),
  runnerPublicKey: onHost('/etc/lamplighter/runner.pub'),
  formerRunnerKeys: onHost('/etc/lamplighter/former-runner-keys'),
  environment: onHost('/etc/lamplighter/agent.env'),
  agentState: onHost('/var/lib/lamplighter/agent'),
  runs: onHost('/var/lib/lamplighter/runs'),
  /** Records of the databases that restores have put aside. */
  kept: onHost('/var/lib/lamplighter/kept'),
  /** Which work directories restores have. */
  work: onHost('/var/lib/lamplighter/work'),
  /** Mirrors of repositories, and records of releases. */
  deployments: onHost('/var/lib/lamplighter/deployments'),
  locks: onHost('/var/lib/lamplighter/locks.db'),
  socket: onHost('/run/lamplighter/run.sock'),
  readerSocket: onHost('/run/lamplighter/read.sock'),
  units: onHost('/etc/systemd/system'),
  systemctl: onHost('/usr/bin/systemctl'),
  nft: onHost('/usr/sbin/nft'),
  systemdAnalyze: onHost('/usr/bin/systemd-analyze'),
  journalctl: onHost('/usr/bin/journalctl'),
} as const;
