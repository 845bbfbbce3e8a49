// All entry points of the control plane as processes of their own, each with just the variables that it may have.
import { join } from 'node:path';
import { type FunctionProcess, startFunction } from '#local/cloud/functions/process.ts';
import type { IdentityServer } from '#local/cloud/identity/server.ts';
import type { HeldPort } from '#local/ports.ts';
import {
  ENTRY_POINTS,
  type EntryPoint,
  type EntryPointName,
  type FunctionVariable,
} from '#shared/topology.ts';
import { PROJECT_ID, serviceAccountEmail } from './identities.ts';

export interface FunctionPlan {
  source: string;
  logsDir: string;
  identity: IdentityServer;
  /** Where each entry point listens; held until it starts. */
  places: Record<EntryPointName, HeldPort>;
  pubsubAddress: string;
  storageEndpoint: string;
  values: Record<Exclude<FunctionVariable, 'OIDC_AUDIENCE' | 'OIDC_CALLERS'>, string>;
}

/** Base URL of an entry point. */
export function urlOf(places: FunctionPlan['places'], name: EntryPointName): string {
  return `http://${places[name].address}:${places[name].port}`;
}

/** Starts all of them; when one fails, those that started are stopped again. */
export async function startFunctions(plan: FunctionPlan): Promise<FunctionProcess[]> {
  const started = await Promise.allSettled(ENTRY_POINTS.map((entryPoint) => start(entryPoint, plan)));
  const running = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failure = started.find((outcome) => outcome.status === 'rejected');
  if (!failure) return running;
  await Promise.all(running.map((process) => process.close()));
  throw failure.reason;
}

async function start(entryPoint: EntryPoint, plan: FunctionPlan): Promise<FunctionProcess> {
  const { name } = entryPoint;
  const { address, port, release } = plan.places[name];
  const env = await environmentOf(entryPoint, plan);
  await release();
  return await startFunction({
    target: name,
    source: plan.source,
    address,
    port,
    env,
    logFile: join(plan.logsDir, `${name}.log`),
  });
}

async function environmentOf(entryPoint: EntryPoint, plan: FunctionPlan): Promise<Record<string, string>> {
  const callers = entryPoint.callers === 'public' ? [] : entryPoint.callers;
  const values: Record<FunctionVariable, string> = {
    ...plan.values,
    OIDC_AUDIENCE: urlOf(plan.places, entryPoint.name),
    OIDC_CALLERS: callers.map(serviceAccountEmail).join(','),
  };
  return {
    ...Object.fromEntries(entryPoint.variables.map((name) => [name, values[name]])),
    PATH: '/usr/bin:/bin',
    GOOGLE_CLOUD_PROJECT: PROJECT_ID,
    OIDC_CERTS_URL: plan.identity.certsUrl,
    GCE_METADATA_HOST: await plan.identity.metadataHostFor(serviceAccountEmail(entryPoint.name)),
    METADATA_SERVER_DETECTION: 'assume-present',
    // A developer's own Google credentials must not leak into the local project.
    CLOUDSDK_CONFIG: '/nonexistent',
    HOME: '/nonexistent',
    PUBSUB_EMULATOR_HOST: plan.pubsubAddress,
    STORAGE_API_ENDPOINT: plan.storageEndpoint,
  };
}
