// Names in the runbook that point at other entries: each must exist, and a near miss is suggested.
import { Cron } from 'croner';
import { nearestName } from './nearest-name.ts';
import type { Runbook } from './schema.ts';

/** A fault at a path of the document. */
export interface RunbookFault {
  path: readonly (string | number)[];
  message: string;
  /** What would be right, a full sentence. */
  hint?: string;
}

type Path = readonly (string | number)[];

function unknownName(path: Path, noun: string, name: string, known: readonly string[]): RunbookFault {
  const near = nearestName(name, known);
  const hint = near ? `Did you mean "${near}"?` : `Known ${noun}s: ${known.join(', ') || 'none'}.`;
  return { path, message: `unknown ${noun} "${name}"`, hint };
}

function* hostReferences(runbook: Runbook): Generator<[Path, string]> {
  for (const [name, service] of Object.entries(runbook.services))
    yield [['services', name, 'host'], service.host];
  for (const [name, check] of Object.entries(runbook.checks)) yield [['checks', name, 'host'], check.host];
  for (const [name, channel] of Object.entries(runbook.channels)) {
    if (channel.kind === 'jsonl') yield [['channels', name, 'host'], channel.host];
  }
  for (const [i, rule] of runbook.severityRules.entries()) {
    if (rule.when.host) yield [['severityRules', i, 'when', 'host'], rule.when.host];
  }
  if (runbook.backup) yield [['backup', 'host'], runbook.backup.host];
}

function* serviceReferences(runbook: Runbook): Generator<[Path, string]> {
  for (const [name, check] of Object.entries(runbook.checks)) {
    if (check.service) yield [['checks', name, 'service'], check.service];
  }
  for (const [i, name] of (runbook.restore?.services ?? []).entries())
    yield [['restore', 'services', i], name];
  for (const [i, rule] of runbook.severityRules.entries()) {
    if (rule.when.service) yield [['severityRules', i, 'when', 'service'], rule.when.service];
  }
}

function* checkReferences(runbook: Runbook): Generator<[Path, string]> {
  for (const [i, rule] of runbook.severityRules.entries()) {
    if (rule.when.check) yield [['severityRules', i, 'when', 'check'], rule.when.check];
  }
}

function* scheduleFaults(runbook: Runbook): Generator<RunbookFault> {
  if (!runbook.backup) return;
  try {
    new Cron(runbook.backup.schedule, { paused: true, mode: '5-part' }).stop();
  } catch (error) {
    const message = `not a cron expression: ${error instanceof Error ? error.message : String(error)}`;
    yield {
      path: ['backup', 'schedule'],
      message,
      hint: 'Five fields, e.g. "0 2 * * *" for 02:00 every day.',
    };
  }
}

function* webhookFaults(runbook: Runbook, operations: readonly string[]): Generator<RunbookFault> {
  for (const [name, webhook] of Object.entries(runbook.webhooks)) {
    const path = ['webhooks', name, 'operation'];
    if (!operations.includes(webhook.operation))
      yield unknownName(path, 'operation', webhook.operation, operations);
  }
}

/** All references that lead nowhere, and schedules that are none. `operations` are the names of the catalogue. */
export function findReferenceFaults(runbook: Runbook, operations: readonly string[]): RunbookFault[] {
  const faults: RunbookFault[] = [];
  const sets: [Iterable<[Path, string]>, string, readonly string[]][] = [
    [hostReferences(runbook), 'host', Object.keys(runbook.hosts)],
    [serviceReferences(runbook), 'service', Object.keys(runbook.services)],
    [checkReferences(runbook), 'check', Object.keys(runbook.checks)],
  ];
  for (const [references, noun, known] of sets) {
    for (const [path, name] of references) {
      if (!known.includes(name)) faults.push(unknownName(path, noun, name, known));
    }
  }
  faults.push(...scheduleFaults(runbook), ...webhookFaults(runbook, operations));
  return faults;
}
