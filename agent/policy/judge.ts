// The decision whether a command's operation may run here. Agent and runner both ask it.
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { FinishedReport } from '#shared/command/report.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { POLICY_FILE, type Policy } from '#shared/policy/policy.ts';

/** Why a command is rejected, as its report says it. */
export type Refusal = Pick<FinishedReport, 'code' | 'message' | 'hint'>;

export type Judgement =
  | { allowed: true; operation: OperationDefinition; spec: unknown }
  | { allowed: false; refusal: Refusal };

/** What the operator does about an operation that this agent does not have. */
export const UPDATE_AGENT =
  'The control plane is newer than the agent on the host: install its release there.';

function refuse(code: Refusal['code'], message: string, hint: string): Judgement {
  return { allowed: false, refusal: { code, message, hint } };
}

/** Looks the operation up, parses what it was given, and asks the policy. */
export function judgeCommand(envelope: CommandEnvelope, policy: Policy): Judgement {
  const { operation: name, host } = envelope;
  const operation = lookUpOperation(name);
  if (!operation) return refuse('unknown-operation', `this agent knows no operation ${name}`, UPDATE_AGENT);
  if (!policy.operations.includes(name)) {
    const hint = `Root of ${host} can allow it: add ${name} under "operations:" in ${POLICY_FILE}.`;
    return refuse('not-in-policy', `the host's policy does not list ${name}`, hint);
  }
  const spec = operation.spec.safeParse(envelope.spec);
  if (!spec.success) {
    const places = new Set(spec.error.issues.map(({ path }) => path.join('.') || 'spec'));
    const message = `what ${name} was given does not fit this agent: ${[...places].join(', ')}`;
    return refuse('invalid-params', message, 'The agent and the control plane may be of different releases.');
  }
  const verdict = operation.permit(spec.data, policy, Date.parse(envelope.issuedAt));
  if (!verdict.allowed) return refuse(verdict.code, verdict.detail, verdict.hint);
  return { allowed: true, operation, spec: spec.data };
}
