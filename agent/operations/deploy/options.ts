// What the steps of one deploy or rollback share.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { lookUp } from '#shared/look-up.ts';
import { CommitHash, ReleaseId, UnitName } from '#shared/names.ts';
import type { DeploymentSpec } from '#shared/operations/deploy.ts';
import type { HostDeployment } from '#shared/policy/deploy.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { PATHS } from '../../config/paths.ts';
import type { BackupOptions } from '../backup/manifest.ts';
import { backupOptions } from '../backup/steps.ts';
import type { HostContext } from '../twin.ts';
import { type DeploymentPlace, placeOf } from './place.ts';

export interface DeployOptions {
  spec: DeploymentSpec;
  terms: HostDeployment;
  place: DeploymentPlace;
  /** How the database is backed up before a migration; undefined where there is none. */
  backup: BackupOptions | undefined;
}

/** A unit as it was before anything changed. */
const UnitBefore = z.object({ unit: UnitName, invocationId: z.string(), wasUp: z.boolean() });
export type UnitBefore = z.infer<typeof UnitBefore>;

/** What the first step found out and decided; the later ones go by it, also after a crash. */
export const Found = z.object({
  release: ReleaseId,
  ref: z.string(),
  commit: CommitHash,
  subject: z.string(),
  /** The release is on the host already: nothing is fetched, installed or tested. */
  isThere: z.boolean(),
  /** Where the link led, as it was written; null when there was none. */
  before: z.string().nullable(),
  /** A migration is to run, after a backup. */
  migrates: z.boolean(),
  units: z.array(UnitBefore),
});
export type Found = z.infer<typeof Found>;

/** The policy's terms of a deployment. Admission has asked the policy already; root may have changed it since. */
export function termsOf({ deployments }: Policy, deployment: string): HostDeployment {
  const terms = lookUp(deployments, deployment);
  if (terms) return terms;
  throw new LamplighterError('refused', `deploy ${deployment}: the host's policy has no such deployment`, {
    hint: `Root of the host can add it under "deployments:" in ${PATHS.policy}.`,
  });
}

export function deployOptions(spec: DeploymentSpec, { policy, envelope }: HostContext): DeployOptions {
  const terms = termsOf(policy, spec.deployment);
  const isBackedUp = terms.git.migrate !== undefined && spec.backup !== undefined;
  return {
    spec,
    terms,
    place: placeOf(spec.deployment, terms.git),
    backup:
      isBackedUp && spec.backup
        ? // Retention is the nightly backup's work.
          backupOptions(envelope.host, { ...spec.backup, localRetentionDays: 1 }, policy)
        : undefined,
  };
}
