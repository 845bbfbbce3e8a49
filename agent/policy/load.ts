// Reads root's policy. A policy that is missing, unreadable or wrong allows nothing.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { UnitName } from '#shared/names.ts';
import { describeThrown } from '#shared/plain-issue.ts';
import { Policy } from '#shared/policy/policy.ts';
import { PATHS } from '../config/paths.ts';
import { findPathFault, findServiceDirectoryFault } from '../host/trusted-path.ts';

export interface LoadedPolicy {
  policy: Policy;
  /** SHA-256 of the file's bytes; the control plane sees it in each heartbeat. */
  hash: string;
}

/** Root works in these directories and runs these programs. An account that could replace one of them could act as root. */
function findFault({ backup, databases, configTests, deployments }: Policy): string | undefined {
  const faults = [
    backup && findPathFault(backup.localDir),
    // Root runs these programs.
    ...Object.values(configTests).map(([program]) => findPathFault(program)),
    ...Object.values(deployments).flatMap(({ git }) => [
      findPathFault(git.releases),
      findPathFault(dirname(git.current)),
    ]),
    ...Object.values(databases).map(({ socketDir }) => findServiceDirectoryFault(socketDir)),
  ];
  return faults.find((fault) => fault !== undefined);
}

/** The unit of what reads journals hides these places, and could not hide one that it does not know. */
function refuseIdentityElsewhere({ backup }: Policy): void {
  const file = backup?.identityFile;
  if (file === undefined || file === PATHS.ageIdentity || file.startsWith(`${PATHS.ageIdentities}/`)) return;
  throw new Error(`identityFile is ${PATHS.ageIdentity} or a file below ${PATHS.ageIdentities}, not ${file}`);
}

/** Reads the policy of `host`. Throws `refused` with what is wrong; the caller must then do nothing. */
export function loadPolicy(file: string, host: string): LoadedPolicy {
  try {
    const fileFault = findPathFault(file);
    if (fileFault !== undefined) throw new Error(fileFault);
    const bytes = readFileSync(file);
    const policy = Policy.parse(parse(bytes.toString('utf8'), { maxAliasCount: 10 }));
    if (policy.host !== host) throw new Error(`it is for host ${policy.host}, and this is ${host}`);
    const fault = findFault(policy);
    if (fault !== undefined) throw new Error(`it names a path that is not root's alone: ${fault}`);
    refuseIdentityElsewhere(policy);
    return { policy, hash: createHash('sha256').update(bytes).digest('hex') };
  } catch (cause) {
    throw new LamplighterError('refused', `read policy ${file}: ${describeThrown(cause, 'the file')}`, {
      hint: `Nothing is allowed on this host until root mends ${file}.`,
      cause,
    });
  }
}

const UnitNames = z.object({ units: z.record(z.string(), z.unknown()) });

/**
 * The units that a policy names, also when it does not hold: what they are at may be told all the same, since anybody on the
 * host can ask systemd. Names that are none are left out; none at all when the file can't be read.
 */
export function readUnitNames(file: string): string[] {
  try {
    const { units } = UnitNames.parse(parse(readFileSync(file, 'utf8'), { maxAliasCount: 10 }));
    return Object.keys(units).filter((name) => UnitName.safeParse(name).success);
  } catch {
    return [];
  }
}
