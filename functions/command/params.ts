// The parameters of a command as they are stored: parsed, with their defaults, and with every name as the runbook has it.

import type { OperationDefinition } from '#shared/operations/definition.ts';
import { listFaults } from '#shared/plain-issue.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { HttpFault } from '../http/fault.ts';
import { asStored } from '../store/json.ts';

function parse(definition: OperationDefinition, params: unknown): Record<string, unknown> {
  const parsed = definition.params.safeParse(params);
  if (parsed.success) return parsed.data as Record<string, unknown>;
  const faults = listFaults(parsed.error, 'params');
  throw new HttpFault('invalid-input', `ask for ${definition.name}: ${faults.join('; ')}`, {
    errors: faults,
  });
}

/**
 * Parameters as a command's row has them. Throws `invalid-input` with each fault, or what the operation throws for a name
 * that the runbook does not have.
 */
export function storedParams(
  definition: OperationDefinition,
  params: unknown,
  runbook: Runbook,
): Record<string, unknown> {
  const given = asStored(parse(definition, params));
  return definition.canonical ? parse(definition, definition.canonical(given, { runbook })) : given;
}
