// stack.restart: a service and all that needs it, in the order of their needs.

import * as z from 'zod';
import { UnitStatus } from '../command/report.ts';
import { EntryName, UnitName } from '../names.ts';
import { dependentsOf, servicesOn } from '../runbook/needs.ts';
import { HealthCheck } from '../runbook/schema.ts';
import { ALLOWED, defineOperation, type PolicyVerdict } from './definition.ts';
import { findService, nameInParams, nameService, permitHealth, permitUnit, ServiceName } from './service.ts';

const StackSpec = z.lazy(() =>
  z.strictObject({
    services: z
      .array(z.strictObject({ service: EntryName, unit: UnitName, health: HealthCheck }))
      .min(1)
      .max(50),
  }),
);
type StackSpec = z.infer<typeof StackSpec>;

function permitStack({ services }: StackSpec, policy: Parameters<typeof permitUnit>[2]): PolicyVerdict {
  const verdicts = services.flatMap(({ unit, health }) => [
    permitUnit(unit, 'restart', policy),
    permitHealth(health, policy),
  ]);
  return verdicts.find(({ allowed }) => !allowed) ?? ALLOWED;
}

export const stackRestart = defineOperation({
  name: 'stack.restart',
  summary: 'Restart a service and then all that need it, each when the one before is healthy',
  risk: 'change',
  params: z.strictObject({ service: ServiceName }),
  spec: StackSpec,
  result: z.lazy(() => z.strictObject({ units: z.array(UnitStatus) })),
  timeoutMs: 60 * 60_000,
  canonical: nameInParams,
  resolve: ({ service }, context) => {
    const name = nameService(service, context);
    const { host } = findService(name, context);
    // What other machines need is theirs to restart.
    const services = servicesOn(host, context.runbook);
    const names = [name, ...dependentsOf(name, services)];
    return {
      host,
      spec: {
        services: names.flatMap((each) => {
          const entry = services[each];
          return entry ? [{ service: each, unit: entry.unit, health: entry.health }] : [];
        }),
      },
    };
  },
  locks: ({ services }) => services.map(({ unit }) => `unit:${unit}`),
  permit: permitStack,
});
