// deploy.*: a product's releases, side by side on the host, one of them live.

import * as z from 'zod';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { CommitHash, DatabaseName, EntryName, GitRef, ReleaseId, UnitName } from '../names.ts';
import { type HostDeployment, isRefAllowed } from '../policy/deploy.ts';
import { POLICY_FILE, type Policy } from '../policy/policy.ts';
import { hintOfNames } from '../runbook/nearest-name.ts';
import { HealthCheck } from '../runbook/schema.ts';
import { permitDatabase } from './backup.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict, type ResolveContext } from './definition.ts';
import { findService, permitHealth } from './service.ts';

const DeploymentName = EntryName.describe("the deployment's name in the runbook");

export const DeployedService = z.lazy(() =>
  z.strictObject({ service: EntryName, unit: UnitName, health: HealthCheck }),
);
export type DeployedService = z.infer<typeof DeployedService>;

/** What every change of the live release needs of the runbook. */
const DeploymentSpec = z.lazy(() =>
  z.strictObject({
    deployment: EntryName,
    /** Restarted in this order, each until it is healthy. */
    services: z.array(DeployedService).max(20),
    /** Backed up before a migration, and how. */
    backup: z.strictObject({ database: DatabaseName, encryptDump: z.boolean() }).optional(),
  }),
);
export type DeploymentSpec = z.infer<typeof DeploymentSpec>;

function resolveDeployment(name: string, context: ResolveContext): { host: string; spec: DeploymentSpec } {
  const { runbook } = context;
  const found = lookUp(runbook.deployments, name);
  if (!found) {
    throw new LamplighterError('not-found', `find deployment ${name}: the runbook has no such deployment`, {
      hint: hintOfNames(name, 'Deployments', Object.keys(runbook.deployments)),
    });
  }
  const services = found.services.map((service) => {
    const { unit, health } = findService(service, context);
    return { service, unit, health };
  });
  const encryptDump = runbook.backup?.encryptDump ?? false;
  return {
    host: found.host,
    spec: {
      deployment: name,
      services,
      ...(found.database === undefined ? {} : { backup: { database: found.database, encryptDump } }),
    },
  };
}

function locksOf({ deployment, services, backup }: DeploymentSpec): string[] {
  return [
    `deploy:${deployment}`,
    ...(backup ? [`database:${backup.database}`] : []),
    ...services.map(({ unit }) => `unit:${unit}`),
  ];
}

function findTerms(deployment: string, { deployments }: Policy): HostDeployment | undefined {
  return lookUp(deployments, deployment);
}

function notInPolicy(deployment: string): PolicyVerdict {
  const detail = `the host's policy has no deployment ${deployment}`;
  return forbid('not-in-policy', detail, `"${deployment}: {account: …, git: …}" under "deployments:"`);
}

function permitServices({ services }: DeploymentSpec, policy: Policy): PolicyVerdict {
  // Stopped again when a deploy is taken back that found them stopped.
  const missing = services.find(({ unit }) => {
    const actions = lookUp(policy.units, unit) ?? [];
    return !actions.includes('restart') || !actions.includes('stop');
  });
  if (missing) {
    const detail = `the host's policy does not allow restart and stop of ${missing.unit}`;
    return forbid('not-in-policy', detail, `restart and stop to the list of ${missing.unit} under "units:"`);
  }
  return (
    services.map(({ health }) => permitHealth(health, policy)).find(({ allowed }) => !allowed) ?? ALLOWED
  );
}

/** A migration is never run without a backup before it. */
function permitMigration(
  { deployment, backup }: DeploymentSpec,
  { git }: HostDeployment,
  policy: Policy,
): PolicyVerdict {
  if (!git.migrate) return ALLOWED;
  if (backup) return permitDatabase(backup.database, 'backup', policy);
  return {
    allowed: false,
    code: 'not-in-policy',
    detail: `the host's policy declares a migration for ${deployment}, and the runbook names no database to back up before it`,
    hint: `Add "database:" to the deployment ${deployment} in the runbook.`,
  };
}

function permitRef(ref: string, deployment: string, { git }: HostDeployment): PolicyVerdict {
  if (isRefAllowed(ref, git)) return ALLOWED;
  return {
    allowed: false,
    code: 'not-in-policy',
    detail: `the host's policy does not allow the ref ${ref} for ${deployment}`,
    hint: `Allowed are ${git.allowRefs?.join(', ')}; root of the host can add to "allowRefs:" in ${POLICY_FILE}.`,
  };
}

function permitDeployment(spec: DeploymentSpec, ref: string | undefined, policy: Policy): PolicyVerdict {
  const terms = findTerms(spec.deployment, policy);
  if (!terms) return notInPolicy(spec.deployment);
  const verdicts = [
    ref === undefined ? ALLOWED : permitRef(ref, spec.deployment, terms),
    permitServices(spec, policy),
    permitMigration(spec, terms, policy),
  ];
  return verdicts.find(({ allowed }) => !allowed) ?? ALLOWED;
}

/** A backup's time and more: each program of the policy has a limit of its own. */
const DEPLOY_TIMEOUT_MS = 8 * 60 * 60_000;

export const Deployed = z.lazy(() =>
  z.strictObject({
    deployment: EntryName,
    /** Which release is live now. */
    release: ReleaseId,
    ref: z.string(),
    commit: CommitHash,
    /** What was live before; null when there was none. */
    before: z.string().nullable(),
    /** True when the migration ran. */
    migrated: z.boolean(),
    /** The backup that was made before the migration. */
    backupId: z.string().optional(),
    /** Units that were restarted and are healthy. */
    restarted: z.array(UnitName),
  }),
);
export type Deployed = z.infer<typeof Deployed>;

export const deployRun = defineOperation({
  name: 'deploy.run',
  summary: 'Deploy a ref: fetch, test, switch, restart; put back when a step fails',
  risk: 'disruptive',
  params: z.strictObject({
    deployment: DeploymentName,
    ref: GitRef.describe('the tag, branch or commit to deploy'),
  }),
  spec: z.lazy(() => DeploymentSpec.unwrap().extend({ ref: GitRef })),
  result: Deployed,
  timeoutMs: DEPLOY_TIMEOUT_MS,
  resolve: ({ deployment, ref }, context) => {
    const { host, spec } = resolveDeployment(deployment, context);
    return { host, spec: { ...spec, ref } };
  },
  locks: locksOf,
  permit: ({ ref, ...spec }, policy) => permitDeployment(spec, ref, policy),
});
