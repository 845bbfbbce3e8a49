// service.*: systemd units by their runbook names.

import * as z from 'zod';
import { UnitStatus } from '../command/report.ts';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { ServiceReference, UnitName } from '../names.ts';
import type { Policy, UnitAction } from '../policy/policy.ts';
import type { Risk } from '../role.ts';
import { hintOfNames } from '../runbook/nearest-name.ts';
import { HealthCheck, type RunbookService } from '../runbook/schema.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict, type ResolveContext } from './definition.ts';

export const ServiceName = ServiceReference.describe("the service's name in the runbook, or its unit");
const ServiceParams = z.strictObject({ service: ServiceName });
const ServiceSpec = z.lazy(() => z.strictObject({ unit: UnitName, health: HealthCheck }));

/** Names of services that have this unit, given with or without `.service`. */
function namesByUnit(reference: string, { runbook }: ResolveContext): string[] {
  return Object.entries(runbook.services)
    .filter(([, { unit }]) => unit === reference || unit === `${reference}.service`)
    .map(([name]) => name);
}

/** The name in the runbook of a service that is given by its name or its unit. Throws `not-found` with the near name. */
export function nameService(reference: string, context: ResolveContext): string {
  const known = Object.keys(context.runbook.services);
  if (known.includes(reference)) return reference;
  const byUnit = namesByUnit(reference, context);
  const [only, ...others] = byUnit;
  if (only !== undefined && others.length === 0) return only;
  const task = `find service ${reference}`;
  if (only !== undefined) {
    throw new LamplighterError('invalid-input', `${task}: ${byUnit.length} services have this unit`, {
      hint: `Say which: ${byUnit.join(', ')}.`,
    });
  }
  throw new LamplighterError('not-found', `${task}: the runbook has no such service`, {
    hint: hintOfNames(reference, 'Services', known),
  });
}

/** Finds a service of the runbook by its name or its unit; throws `not-found` with the near name. */
export function findService(reference: string, context: ResolveContext): RunbookService {
  const name = nameService(reference, context);
  const found = Object.entries(context.runbook.services).find(([key]) => key === name);
  if (found) return found[1];
  throw new LamplighterError('internal', `find service ${name}: the runbook has no such service`);
}

/** Parameters with the service under its name in the runbook. */
export function nameInParams<P extends { service: string }>(params: P, context: ResolveContext): P {
  return { ...params, service: nameService(params.service, context) };
}

/** What the policy says of an action on a unit. */
export function permitUnit(unit: string, action: UnitAction, policy: Policy): PolicyVerdict {
  const actions = lookUp(policy.units, unit);
  if (!actions) {
    const detail = `the host's policy does not name ${unit}`;
    return forbid('unknown-unit', detail, `"${unit}: [${action}]" under "units:"`);
  }
  if (actions.includes(action)) return ALLOWED;
  // The unit is named already: a second entry of its name would make the file invalid.
  const entry = `${action} to the list of ${unit} under "units:"`;
  return forbid('not-in-policy', `the host's policy does not allow ${action} on ${unit}`, entry);
}

/** An address as a policy's target must name it; undefined for the host's loopback. */
function targetAddress(address: string | undefined): string | undefined {
  const isLoopback = address === '::1' || address?.startsWith('127.');
  return isLoopback ? undefined : address;
}

/** A command may not make root ask just anything on the machine, or anything elsewhere: only what the policy names. */
export function permitHealth(health: HealthCheck, { healthChecks }: Policy): PolicyVerdict {
  if ('activeForMs' in health) return ALLOWED;
  const path = 'tcp' in health ? undefined : health.http.path;
  const { port, address: asked } = 'tcp' in health ? health.tcp : health.http;
  const address = targetAddress(asked);
  const isAllowed = healthChecks.some(
    (target) =>
      target.port === port &&
      targetAddress(target.address) === address &&
      (path === undefined || target.paths.includes(path)),
  );
  if (isAllowed) return ALLOWED;
  const what = `${path === undefined ? '' : `${path} on `}port ${port}${address === undefined ? '' : ` of ${address}`}`;
  const entry = [
    ...(address === undefined ? [] : [`address: '${address}'`]),
    `port: ${port}`,
    ...(path === undefined ? [] : [`paths: ['${path}']`]),
  ].join(', ');
  const detail = `the host's policy does not allow a health check of ${what}`;
  return forbid('not-in-policy', detail, `"- {${entry}}" under "healthChecks:"`);
}

/** Names of the runbook to the unit and its health. */
function resolveService({ service }: z.infer<typeof ServiceParams>, context: ResolveContext) {
  const { host, unit, health } = findService(service, context);
  return { host, spec: { unit, health } };
}

function unitLock({ unit }: { unit: string }): string[] {
  return [`unit:${unit}`];
}

/** What a unit looks like after it was acted on. */
const UnitResult = z.lazy(() => z.strictObject({ unit: UnitStatus, healthy: z.boolean() }));

function unitOperation(
  action: 'start' | 'stop' | 'restart' | 'reload',
  risk: Exclude<Risk, 'read'>,
  summary: string,
  timeoutMs: number,
) {
  return defineOperation({
    name: `service.${action}`,
    summary,
    risk,
    params: ServiceParams,
    spec: ServiceSpec,
    result: UnitResult,
    timeoutMs,
    canonical: nameInParams,
    resolve: resolveService,
    locks: unitLock,
    permit: (spec, policy) => {
      const verdict = permitUnit(spec.unit, action, policy);
      // Nobody asks a service that was stopped.
      return verdict.allowed && action !== 'stop' ? permitHealth(spec.health, policy) : verdict;
    },
  });
}

/**
 * systemd gives a unit its own time to start and to stop (TimeoutStartSec=, TimeoutStopSec=; a oneshot has no limit): a command
 * waits for systemd's word, and these only bound what has no other end.
 */
const UNIT_TIMEOUT_MS = 30 * 60_000;

export const serviceStart = unitOperation(
  'start',
  'change',
  'Start a service and wait until it is healthy',
  UNIT_TIMEOUT_MS,
);
export const serviceStop = unitOperation('stop', 'disruptive', 'Stop a service', UNIT_TIMEOUT_MS);
export const serviceRestart = unitOperation(
  'restart',
  'change',
  'Restart a service and wait until it is healthy',
  2 * UNIT_TIMEOUT_MS,
);
export const serviceReload = unitOperation(
  'reload',
  'change',
  "Reload a service's configuration",
  UNIT_TIMEOUT_MS,
);

export const serviceStatus = defineOperation({
  name: 'service.status',
  summary: 'Show what systemd says of a service',
  risk: 'read',
  params: ServiceParams,
  spec: ServiceSpec,
  result: z.lazy(() => z.strictObject({ unit: UnitStatus })),
  timeoutMs: 15_000,
  canonical: nameInParams,
  resolve: resolveService,
  permit: (spec, policy) => permitUnit(spec.unit, 'status', policy),
});

export const serviceConfigtest = defineOperation({
  name: 'service.configtest',
  summary: "Test a service's configuration, as nginx -t does",
  risk: 'read',
  needsRoot: true,
  params: ServiceParams,
  spec: z.lazy(() => z.strictObject({ unit: UnitName })),
  result: z.lazy(() => z.strictObject({ unit: UnitName, output: z.array(z.string()) })),
  timeoutMs: 60_000,
  canonical: nameInParams,
  resolve: ({ service }, context) => {
    const { host, unit } = findService(service, context);
    return { host, spec: { unit } };
  },
  permit: ({ unit }, { configTests }) => {
    if (lookUp(configTests, unit)) return ALLOWED;
    const detail = `the host's policy names no program that tests the configuration of ${unit}`;
    return forbid('not-in-policy', detail, `"${unit}: [/path/of/program, …]" under "configTests:"`);
  },
});
