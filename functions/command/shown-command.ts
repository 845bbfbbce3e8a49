// A command as a role may see it: who may not ask for a journal does not get one that another person asked for.
import type { CommandView } from '#shared/api/views.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { serviceLogs } from '#shared/operations/service.ts';
import { isRoleAtLeast, type Role, roleNeededFor } from '#shared/role.ts';
import { scopeFault, type TokenScope, UNLIMITED } from '../token/scope.ts';

/**
 * The command without what the role may not see: results that it may not ask for, and lines of a failed service's journal.
 * Outside of its scope a token sees what a viewer sees.
 */
export function showCommand(command: CommandView, ownRole: Role, scope: TokenScope = UNLIMITED): CommandView {
  const role = scopeFault(scope, command) === undefined ? ownRole : 'viewer';
  const definition = lookUpOperation(command.operation);
  // Whoever may see one read has the role for all reads of that kind; results of other operations are for every viewer.
  const maySeeResult = definition?.risk !== 'read' || isRoleAtLeast(role, roleNeededFor(definition));
  const maySeeOutput = isRoleAtLeast(role, roleNeededFor(serviceLogs));
  return {
    ...command,
    result: maySeeResult ? command.result : null,
    output: maySeeOutput ? command.output : [],
  };
}
