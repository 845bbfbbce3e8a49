// The command that another one acts on. Whoever may ask for the one may act on it, and nobody else.
import { LamplighterError } from '#shared/errors.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { isRoleAtLeast, type Role, roleNeededFor } from '#shared/role.ts';
import { type CommandRecord, findCommand } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { scopeFault, type TokenScope } from '../token/scope.ts';

/** What a token allows. */
export interface Standing extends TokenScope {
  role: Role;
}

/** Why the token does not allow to act on the command, or undefined. */
export function standingFault(target: CommandRecord, standing: Standing): string | undefined {
  const definition = lookUpOperation(target.operation);
  if (!definition) return `there is no operation ${target.operation}`;
  const needed = roleNeededFor(definition);
  if (!isRoleAtLeast(standing.role, needed)) return `${target.operation} requires the role ${needed}`;
  return scopeFault(standing, target);
}

/** Throws `invalid-input` for a command that acts on another one itself: both would wait for each other. */
export function refuseChain({ id, operation }: CommandRecord): void {
  if (!lookUpOperation(operation)?.actsOn) return;
  throw new LamplighterError('invalid-input', `act on command ${id}: ${operation} acts on another command`, {
    hint: 'Name that other command instead.',
  });
}

/**
 * Why a command that acts on another one is not allowed to, or undefined: the other one must exist, on this host, and the
 * token must cover it. Throws `invalid-input` as `refuseChain` does.
 */
export async function targetFault(
  db: Queryable,
  question: { definition: OperationDefinition; params: Record<string, unknown>; host: string },
  standing: Standing,
): Promise<string | undefined> {
  const id = question.definition.actsOn?.(question.params);
  if (id === undefined) return undefined;
  const target = await findCommand(db, id);
  if (!target) return `there is no command ${id}`;
  refuseChain(target);
  if (target.host !== question.host) return `command ${id} is not for ${question.host}`;
  return standingFault(target, standing);
}
