// Names in the runbook that point at other entries: each must exist, and a near miss is suggested.
import { Cron } from 'croner';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

/** A fault at a path of the document. */
export interface RunbookFault {
  path: readonly (string | number)[];
  message: string;
  /** What would be right, a full sentence. */
  hint?: string;
}

// Only what points elsewhere, and only as far as it has the right shape: references are checked even when the rest of
// the document has faults, so that all of them are told at once.
const name = z.string().optional().catch(undefined);
const pointers = z
  .object({ host: name, service: name, operation: name, secret: name })
  .optional()
  .catch(undefined);
const section = z.record(z.string(), pointers).catch({});
const Outline = z.object({
  hosts: z.record(z.string(), z.unknown()).catch({}),
  services: section,
  checks: section,
  channels: section,
  webhooks: section,
  backup: z.object({ host: name, schedule: name }).optional().catch(undefined),
  restore: z
    .object({ services: z.array(name).catch([]) })
    .optional()
    .catch(undefined),
  severityRules: z
    .array(
      z.object({ when: z.object({ host: name, service: name, check: name }).catch({}) }).catch({ when: {} }),
    )
    .catch([]),
});
type Outline = z.infer<typeof Outline>;

type Path = readonly (string | number)[];

function unknownName(path: Path, noun: string, name: string, known: readonly string[]): RunbookFault {
  const near = nearestName(name, known);
  const hint = near ? `Did you mean "${near}"?` : `Known ${noun}s: ${known.join(', ') || 'none'}.`;
  return { path, message: `unknown ${noun} "${name}"`, hint };
}

type Reference = [path: Path, name: string | undefined];

function* hostReferences(runbook: Outline): Generator<Reference> {
  for (const section of ['services', 'checks', 'channels'] as const) {
    for (const [name, entry] of Object.entries(runbook[section]))
      yield [[section, name, 'host'], entry?.host];
  }
  for (const [i, rule] of runbook.severityRules.entries())
    yield [['severityRules', i, 'when', 'host'], rule.when.host];
  yield [['backup', 'host'], runbook.backup?.host];
}

function* serviceReferences(runbook: Outline): Generator<Reference> {
  for (const [name, check] of Object.entries(runbook.checks))
    yield [['checks', name, 'service'], check?.service];
  for (const [i, name] of (runbook.restore?.services ?? []).entries())
    yield [['restore', 'services', i], name];
  for (const [i, rule] of runbook.severityRules.entries()) {
    yield [['severityRules', i, 'when', 'service'], rule.when.service];
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

function scheduleFaults({ backup }: Outline): RunbookFault[] {
  if (backup?.schedule === undefined) return [];
  try {
    new Cron(backup.schedule, { paused: true, mode: '5-part' }).stop();
    return [];
  } catch (error) {
    const message = `not a cron expression: ${messageOf(error)}`;
    return [
      { path: ['backup', 'schedule'], message, hint: 'Five fields, e.g. "0 2 * * *" for 02:00 every day.' },
    ];
  }
}

/** A call is signed with its webhook's secret alone: one that two share would hold for both. */
function secretFaults({ webhooks }: Outline): RunbookFault[] {
  const first = new Map<string, string>();
  return Object.entries(webhooks).flatMap(([name, webhook]) => {
    const secret = webhook?.secret;
    if (secret === undefined) return [];
    const other = first.get(secret);
    if (other === undefined) {
      first.set(secret, name);
      return [];
    }
    const message = `webhook ${other} has the same secret`;
    return [{ path: ['webhooks', name, 'secret'], message, hint: 'Give each webhook a secret of its own.' }];
  });
}

/** All references that lead nowhere, and schedules that are none. `operations` are the names of the catalogue. */
export function findReferenceFaults(document: unknown, operations: readonly string[]): RunbookFault[] {
  const outline = Outline.safeParse(document);
  if (!outline.success) return [];
  const runbook = outline.data;
  const sets: [Iterable<Reference>, string, readonly string[]][] = [
    [hostReferences(runbook), 'host', Object.keys(runbook.hosts)],
    [serviceReferences(runbook), 'service', Object.keys(runbook.services)],
    [checkReferences(runbook), 'check', Object.keys(runbook.checks)],
    [operationReferences(runbook), 'operation', operations],
  ];
  const faults = sets.flatMap(([references, noun, known]) =>
    [...references].flatMap(([path, name]) =>
      name === undefined || known.includes(name) ? [] : [unknownName(path, noun, name, known)],
    ),
  );
  return [...faults, ...scheduleFaults(runbook), ...secretFaults(runbook)];
}
