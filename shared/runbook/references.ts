// Names in the runbook that point at other entries: each must exist, and a near miss is suggested.
import * as z from 'zod';
import type { Path, RunbookFault } from './fault.ts';
import { hintOfNames, shortName } from './nearest-name.ts';

// Only what points elsewhere, and only as far as it has the right shape: references are checked even when the rest of
// the document has faults, so that all of them are told at once.
const name = z.string().optional().catch(undefined);
const pointers = z.lazy(() =>
  z.object({ host: name, service: name, operation: name, secret: name }).optional().catch(undefined),
);
const services = z
  .record(
    z.string(),
    z
      .object({ host: name, needs: z.array(name).catch([]) })
      .optional()
      .catch(undefined),
  )
  .catch({});
const section = z.record(z.string(), pointers).catch({});
const Outline = z.lazy(() =>
  z.object({
    hosts: z.record(z.string(), z.unknown()).catch({}),
    services,
    checks: section,
    channels: section,
    webhooks: section,
    deployments: z
      .record(
        z.string(),
        z
          .object({ host: name, services: z.array(name).catch([]) })
          .optional()
          .catch(undefined),
      )
      .catch({}),
    backup: z.object({ host: name, schedule: name }).optional().catch(undefined),
    restore: z
      .object({ services: z.array(name).catch([]) })
      .optional()
      .catch(undefined),
    severityRules: z
      .array(
        z
          .object({ when: z.object({ host: name, service: name, check: name }).catch({}) })
          .catch({ when: {} }),
      )
      .catch([]),
  }),
);
type Outline = z.infer<typeof Outline>;

function unknownName(path: Path, noun: string, name: string, known: readonly string[]): RunbookFault {
  const hint = hintOfNames(name, `Known ${noun}s`, known);
  return { path, message: `unknown ${noun} "${shortName(name)}"`, hint };
}

type Reference = [path: Path, name: string | undefined];

function* hostReferences(runbook: Outline): Generator<Reference> {
  for (const section of ['services', 'checks', 'channels', 'deployments'] as const) {
    for (const [name, entry] of Object.entries(runbook[section]))
      yield [[section, name, 'host'], entry?.host];
  }
  for (const [i, rule] of runbook.severityRules.entries())
    yield [['severityRules', i, 'when', 'host'], rule.when.host];
  yield [['backup', 'host'], runbook.backup?.host];
}

function* serviceReferences(runbook: Outline): Generator<Reference> {
  for (const [name, service] of Object.entries(runbook.services)) {
    for (const [i, needed] of (service?.needs ?? []).entries())
      yield [['services', name, 'needs', i], needed];
  }
  for (const [name, check] of Object.entries(runbook.checks))
    yield [['checks', name, 'service'], check?.service];
  for (const [i, name] of (runbook.restore?.services ?? []).entries())
    yield [['restore', 'services', i], name];
  yield* deployedServices(runbook);
  for (const [i, rule] of runbook.severityRules.entries()) {
    yield [['severityRules', i, 'when', 'service'], rule.when.service];
  }
}

function* deployedServices({ deployments }: Outline): Generator<Reference> {
  for (const [deployment, entry] of Object.entries(deployments)) {
    for (const [i, name] of (entry?.services ?? []).entries())
      yield [['deployments', deployment, 'services', i], name];
  }
}

function* checkReferences(runbook: Outline): Generator<Reference> {
  for (const [i, rule] of runbook.severityRules.entries())
    yield [['severityRules', i, 'when', 'check'], rule.when.check];
}

function* operationReferences(runbook: Outline): Generator<Reference> {
  for (const [name, webhook] of Object.entries(runbook.webhooks)) {
    yield [['webhooks', name, 'operation'], webhook?.operation];
  }
}

/** A call is signed with its webhook's secret alone: one that two share would hold for both. */
function* secretFaults({ webhooks }: Outline): Generator<RunbookFault> {
  const first = new Map<string, string>();
  for (const [name, webhook] of Object.entries(webhooks)) {
    const secret = webhook?.secret;
    if (secret === undefined) continue;
    const other = first.get(secret);
    if (other === undefined) first.set(secret, name);
    else {
      const message = `webhook ${shortName(other)} has the same secret`;
      const hint = 'Give each webhook a secret of its own.';
      yield { path: ['webhooks', name, 'secret'], message, hint };
    }
  }
}

/** All references that lead nowhere. `operations` are the names of the catalogue. */
export function* referenceFaults(document: unknown, operations: readonly string[]): Generator<RunbookFault> {
  const outline = Outline.safeParse(document);
  if (!outline.success) return;
  const runbook = outline.data;
  const sets: [Iterable<Reference>, string, readonly string[]][] = [
    [hostReferences(runbook), 'host', Object.keys(runbook.hosts)],
    [serviceReferences(runbook), 'service', Object.keys(runbook.services)],
    [checkReferences(runbook), 'check', Object.keys(runbook.checks)],
    [operationReferences(runbook), 'operation', operations],
  ];
  for (const [references, noun, known] of sets) {
    const names = new Set(known);
    for (const [path, name] of references) {
      if (name !== undefined && !names.has(name)) yield unknownName(path, noun, name, known);
    }
  }
  yield* secretFaults(runbook);
}
