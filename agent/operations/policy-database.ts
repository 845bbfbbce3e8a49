// What the host's policy says of a database. Admission has asked the policy already; root may have changed it since.
import { LamplighterError } from '#shared/errors.ts';
import { lookUp } from '#shared/look-up.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { PATHS } from '../config/paths.ts';
import type { Cluster } from '../host/postgres.ts';

/** The cluster of a database. Throws `refused` with `task` (`restore shop`) when the policy does not list the database. */
export function clusterOf({ databases }: Policy, database: string, task: string): Cluster {
  const cluster = lookUp(databases, database);
  if (cluster) return cluster;
  throw new LamplighterError('refused', `${task}: the host's policy does not list database ${database}`, {
    hint: `Root of the host can add it under "databases:" in ${PATHS.policy}.`,
  });
}

/** The policy's backup section. Throws `refused` when there is none. */
export function backupSectionOf({ backup }: Policy, task: string): NonNullable<Policy['backup']> {
  if (backup) return backup;
  throw new LamplighterError('refused', `${task}: the host's policy has no backup section`, {
    hint: `Root of the host can add "backup:" in ${PATHS.policy}.`,
  });
}
