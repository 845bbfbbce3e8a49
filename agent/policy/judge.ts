// The decision whether a command's operation may run here. Agent and runner both ask it.
import { z } from 'zod';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { OutcomeCode } from '#shared/command/report.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import type { Policy } from '#shared/policy/policy.ts';

export type Judgement =
  | { allowed: true; operation: OperationDefinition; spec: unknown }
  | { allowed: false; code: OutcomeCode; message: string };

/** Looks the operation up, parses what it was given, and asks the policy. */
export function judgeCommand(envelope: CommandEnvelope, policy: Policy): Judgement {
  const operation = lookUpOperation(envelope.operation);
  if (!operation) {
    return {
      allowed: false,
      code: 'unknown-operation',
      message: `this agent knows no operation ${envelope.operation}`,
    };
  }
  if (!policy.operations.includes(operation.name)) {
    return {
      allowed: false,
      code: 'not-in-policy',
      message: `the host's policy does not list ${operation.name}`,
    };
  }
  const spec = operation.spec.safeParse(envelope.spec);
  if (!spec.success) {
    return {
      allowed: false,
      code: 'invalid-params',
      message: `what ${operation.name} was given is not valid: ${z.prettifyError(spec.error)}`,
    };
  }
  const verdict = operation.permit(spec.data, policy);
  if (!verdict.allowed) return { allowed: false, code: verdict.code, message: verdict.detail };
  return { allowed: true, operation, spec: spec.data };
}
