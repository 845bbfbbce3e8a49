// A command as a role is allowed to see it: a role that can't ask for a journal does not see a journal that another person
// asked for.
import type { CommandView } from '#shared/api/views.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { serviceLogs } from '#shared/operations/logs.ts';
import { isRoleAtLeast, type Role, roleNeededFor } from '#shared/role.ts';
import { scopeFault, type TokenScope, UNLIMITED } from '../token/scope.ts';

/**
 * The command without what the role is not allowed to see: results of reads that it can't ask for, and lines of a failed
 * service's journal. Outside its scope a token sees what a viewer sees.
 */
export function showCommand(command: CommandView, ownRole: Role, scope: TokenScope = UNLIMITED): CommandView {
  const role = scopeFault(scope, command) === undefined ? ownRole : 'viewer';
  const definition = lookUpOperation(command.operation);
  // Results of operations that are no reads are shown to every viewer.
  const maySeeResult = definition?.risk !== 'read' || isRoleAtLeast(role, roleNeededFor(definition));
  const maySeeOutput = isRoleAtLeast(role, roleNeededFor(serviceLogs));
  return {
    ...command,
    result: maySeeResult ? command.result : null,
    output: maySeeOutput ? command.output : [],
  };
}
