// Webhooks that could never be called, or that must not exist: each is held against its operation's definition.
import { LamplighterError } from '../errors.ts';
import { mayAsk, type OperationDefinition } from '../operations/definition.ts';
import { describeIssue } from '../plain-issue.ts';
import { isRoleAtLeast, roleNeededFor } from '../role.ts';
import type { Path, RunbookFault } from './fault.ts';
import { listNames, shortName } from './nearest-name.ts';
import type { Runbook, Webhook } from './schema.ts';

/** Faults of all webhooks of a runbook whose shape is right. */
export function* webhookFaults(
  runbook: Runbook,
  operations: readonly OperationDefinition[],
): Generator<RunbookFault> {
  for (const [name, webhook] of Object.entries(runbook.webhooks)) {
    const definition = operations.find((operation) => operation.name === webhook.operation);
    // The references tell an unknown one.
    if (!definition) continue;
    const path = ['webhooks', name];
    const standing = standingFault(path, webhook, definition);
    if (standing) yield standing;
    else yield* parameterFaults({ path, webhook, definition, runbook });
  }
}

/** Whether a webhook may ask for the operation at all. */
function standingFault(
  path: Path,
  webhook: Webhook,
  definition: OperationDefinition,
): RunbookFault | undefined {
  const { name, risk } = definition;
  if (!mayAsk(definition, 'webhook')) {
    const isDestructive = risk === 'destructive';
    const why = isDestructive ? 'it is destructive' : 'only the control plane is allowed to';
    const hint = isDestructive ? 'A person asks for it, with lamp.' : 'Choose another operation.';
    return { path: [...path, 'operation'], message: `no webhook can ask for ${name}: ${why}`, hint };
  }
  const needed = roleNeededFor(definition);
  if (isRoleAtLeast(webhook.role, needed)) return undefined;
  const message = `role ${webhook.role} is not allowed to ask for ${name}`;
  return { path: [...path, 'role'], message, hint: `Write "role: ${needed}", or choose another operation.` };
}

interface Question {
  path: Path;
  webhook: Webhook;
  definition: OperationDefinition;
  runbook: Runbook;
}

/** Each value that a call may bring, with the others as its first choice. */
function* parameterFaults(question: Question): Generator<RunbookFault> {
  const { path, webhook } = question;
  const sample = new Map<string, unknown>(Object.entries(webhook.params));
  for (const [key, [first]] of Object.entries(webhook.choose)) {
    if (!sample.has(key)) sample.set(key, first);
  }
  const general = paramsFault(question, sample);
  if (general) yield general;
  for (const [key, value] of Object.entries(webhook.params)) {
    const fault = valueFault(question, sample, key, value);
    if (fault) yield { path: [...path, 'params', key], ...fault };
  }
  for (const [key, choices] of Object.entries(webhook.choose)) {
    for (const [i, choice] of choices.entries()) {
      const fault = valueFault(question, sample, key, choice);
      if (fault) yield { path: [...path, 'choose', key, i], ...fault };
    }
  }
}

/** A parameter that is missing, or that the operation does not have. */
function paramsFault(
  { path, webhook, definition }: Question,
  sample: ReadonlyMap<string, unknown>,
): RunbookFault | undefined {
  const parsed = definition.params.safeParse(Object.fromEntries(sample));
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code === 'unrecognized_keys') {
      const [key = ''] = issue.keys;
      const place = Object.hasOwn(webhook.params, key) ? 'params' : 'choose';
      const message = `${definition.name} has no parameter "${shortName(key)}"`;
      return {
        path: [...path, place, key],
        message,
        hint: `Its parameters: ${listNames(namesOf(definition))}.`,
      };
    }
    const [key] = issue.path;
    if (typeof key === 'string' && !sample.has(key)) {
      const message = `${definition.name} needs the parameter "${key}"`;
      return {
        path,
        message,
        hint: `Put "${key}" under "choose" (the caller chooses) or under "params" (always the same).`,
      };
    }
  }
  return undefined;
}

function namesOf({ params }: OperationDefinition): string[] {
  return 'shape' in params && typeof params.shape === 'object' && params.shape !== null
    ? Object.keys(params.shape)
    : [];
}

/** What is wrong with one value: its form, or that the runbook has nothing of this name. */
function valueFault(
  { definition, runbook }: Question,
  sample: ReadonlyMap<string, unknown>,
  key: string,
  value: unknown,
): Omit<RunbookFault, 'path'> | undefined {
  const parsed = definition.params.safeParse(Object.fromEntries([...sample, [key, value]]));
  if (!parsed.success) {
    const issue = parsed.error.issues.find(({ path }) => path[0] === key);
    return issue
      ? { message: `"${shortName(String(value))}" does not fit: ${describeIssue(issue)}` }
      : undefined;
  }
  try {
    definition.resolve(parsed.data, { runbook });
    return undefined;
  } catch (error) {
    if (!(error instanceof LamplighterError)) throw error;
    return { message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
}
